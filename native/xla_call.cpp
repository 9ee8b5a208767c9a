// SPDX-License-Identifier: Apache-2.0
// The kernel as a custom call of XLA: unpacks the operands and fills the result's own memory.
#include "xla_call.h"

#include <algorithm>
#include <cstring>
#include <exception>

#include "xla_ffi.h"

namespace glorot {
namespace {

KernelGetter current_kernel = nullptr;

xla::Error* failure(const xla::CallFrame& frame, const char* message) {
  xla::ErrorCreateArgs args{sizeof(xla::ErrorCreateArgs), nullptr, message, xla::kErrorInternal};
  return frame.api->error_create(&args);
}

void fill_result(const xla::Buffer& words, const xla::Buffer& setting_bytes, const xla::Buffer& out) {
  uint32_t w[6];
  std::memcpy(w, words.data, sizeof w);
  auto whole = [&](int i) { return w[i] | uint64_t(w[i + 1]) << 32; };
  const Stream stream{whole(0), 0, whole(2)};
  XlaSetting setting;
  std::memcpy(&setting, setting_bytes.data, sizeof setting);
  Layout layout{std::vector<uint64_t>(setting.rank), std::vector<uint64_t>(setting.rank),
                std::vector<int64_t>(setting.rank)};
  const char* rest = static_cast<const char*>(setting_bytes.data) + sizeof setting;
  const size_t size = setting.rank * sizeof(uint64_t);
  if (setting.rank) {
    std::memcpy(layout.shape.data(), rest, size);
    std::memcpy(layout.steps.data(), rest + size, size);
  }
  const Dtype dtype = Dtype(setting.dtype);
  int64_t stride = item_size(dtype);
  uint64_t count = 1;
  for (size_t axis = setting.rank; axis-- > 0;) {
    layout.strides[axis] = stride;
    stride *= int64_t(layout.shape[axis]);
    count *= layout.shape[axis];
  }
  if (count == 0) return;
  if (setting.straight)
    fill_run(current_kernel(), stream, setting.law, dtype, whole(4), count, out.data,
             int(setting.threads));
  else
    fill_strided(current_kernel(), stream, setting.law, dtype, whole(4), layout, out.data,
                 int(setting.threads));
}

// Answers what XLA asks of a handler when it is registered.
void describe(const xla::Api& api, xla::Metadata& metadata) {
  const int minor = std::min(api.api_version.minor_version, xla::kLatestMinorVersion);
  metadata.api_version = {sizeof(xla::ApiVersion), nullptr, xla::kMajorVersion, minor};
  metadata.traits = 0;
  if (metadata.struct_size >= sizeof metadata) metadata.state_type_id = 0;
}

xla::Error* handle(xla::CallFrame* frame) {
  const xla::ExtensionBase* extension = frame->extension_start;
  if (extension && extension->type == xla::kExtensionMetadata) {
    describe(*frame->api, *reinterpret_cast<const xla::MetadataExtension*>(extension)->metadata);
    return nullptr;
  }
  if (frame->stage != xla::kStageExecute || frame->args.struct_size < sizeof(xla::Buffers) ||
      frame->rets.struct_size < sizeof(xla::Buffers) || frame->args.size != 2 ||
      frame->rets.size != 1)
    return failure(*frame, "glorot: XLA called with another interface than it was built for");
  auto buffer = [](const xla::Buffers& buffers, int i) -> const xla::Buffer& {
    return *static_cast<const xla::Buffer*>(buffers.items[i]);
  };
  try {
    fill_result(buffer(frame->args, 0), buffer(frame->args, 1), buffer(frame->rets, 0));
  } catch (const std::exception& error) {
    return failure(*frame, error.what());
  }
  return nullptr;
}

}  // namespace

void* xla_handler(KernelGetter kernel) {
  current_kernel = kernel;
  return sizeof(void*) == 8 ? reinterpret_cast<void*>(&handle) : nullptr;
}

}  // namespace glorot
