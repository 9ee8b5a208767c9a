// SPDX-License-Identifier: Apache-2.0
// The part of XLA's C interface for foreign functions that xla_call.cpp needs, declared here so that
// no JAX is needed to build.  These structs are the same in versions 0.1 (jaxlib 0.4.38 to 0.7.2), 0.2
// (0.8.3) and 0.3 (0.9.2, 0.10.2): a minor version adds fields at the ends of structs.  XLA compares
// the version when the handler is registered and refuses one that it no longer serves; then the
// traced law takes over.  Names are XLA's (xla/ffi/api/c_api.h) without their XLA_FFI_ prefix.
#pragma once

#include <cstddef>
#include <cstdint>

namespace glorot::xla {

constexpr int kMajorVersion = 0, kLatestMinorVersion = 3;
constexpr int kExtensionMetadata = 1, kStageExecute = 3, kErrorInternal = 13;

struct ExtensionBase {
  size_t struct_size;
  int type;
  ExtensionBase* next;
};

struct ApiVersion {
  size_t struct_size;
  ExtensionBase* extension_start;
  int major_version, minor_version;
};

struct Metadata {
  size_t struct_size;
  ApiVersion api_version;
  uint32_t traits;
  int64_t state_type_id;  // from 0.2 on
};

struct MetadataExtension {
  ExtensionBase base;
  Metadata* metadata;
};

struct Error;

struct ErrorCreateArgs {
  size_t struct_size;
  ExtensionBase* extension_start;
  const char* message;
  int code;
};

struct Api {
  size_t struct_size;
  ExtensionBase* extension_start;
  ApiVersion api_version;
  const void* internal_api;
  Error* (*error_create)(ErrorCreateArgs*);
};

struct Buffer {
  size_t struct_size;
  ExtensionBase* extension_start;
  int dtype;
  void* data;
  int64_t rank;
  int64_t* dims;
};

struct Buffers {  // Args and Rets
  size_t struct_size;
  ExtensionBase* extension_start;
  int64_t size;
  int* types;
  void** items;  // Buffer*, where the type is 1
};

struct CallFrame {
  size_t struct_size;
  ExtensionBase* extension_start;
  const Api* api;
  void* context;
  int stage;
  Buffers args, rets;
};

// What a 64-bit machine's XLA passes; a build where these differ has no handler.
static_assert(sizeof(void*) != 8 || (sizeof(ApiVersion) == 24 && offsetof(Metadata, traits) == 32));
static_assert(sizeof(void*) != 8 || (sizeof(Buffer) == 48 && sizeof(Buffers) == 40));
static_assert(sizeof(void*) != 8 || (offsetof(CallFrame, args) == 40 && sizeof(CallFrame) == 120));
static_assert(sizeof(void*) != 8 || offsetof(Api, error_create) == 48);

}  // namespace glorot::xla
