// SPDX-License-Identifier: Apache-2.0
// The Python module glorot._native.  _kernel.py checks what it passes here.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <atomic>
#include <cstring>
#include <string>
#include <tuple>

#include "bind.h"
#include "crc32.h"
#include "together.h"
#include "xla_call.h"

namespace nb = nanobind;
using namespace glorot;

namespace {

std::atomic<const Kernel*> current{nullptr};

void set_target(const std::string& name) {
  std::string names;
  for (const Kernel* candidate : available_kernels()) {
    if (name == candidate->name) {
      current = candidate;
      return;
    }
    names += (names.empty() ? "" : ", ") + std::string(candidate->name);
  }
  throw nb::value_error(("target \"" + name + "\" cannot run here; this machine has: " + names +
                         " (and \"reference\", the NumPy code).").c_str());
}

Law law_of(nb::bytes constants) {
  Law law;
  if (constants.size() != sizeof law) throw nb::value_error("a law's constants have another size");
  std::memcpy(&law, constants.c_str(), sizeof law);
  return law;
}

void py_fill_run(uintptr_t out, uint32_t dtype, nb::bytes constants, uint64_t key,
                 uint64_t counter_lo, uint64_t counter_hi, uint64_t start, uint64_t count,
                 int threads) {
  const Law law = law_of(constants);
  const Stream stream{key, counter_lo, counter_hi};
  run(count, [&] {
    fill_run(kernel(), stream, law, Dtype(dtype), start, count, reinterpret_cast<void*>(out),
             threads);
  });
}

void py_fill_strided(uintptr_t out, uint32_t dtype, nb::bytes constants, uint64_t key,
                     uint64_t counter_lo, uint64_t counter_hi, uint64_t start,
                     std::vector<uint64_t> shape, std::vector<uint64_t> steps,
                     std::vector<int64_t> strides, int threads) {
  const Law law = law_of(constants);
  const Stream stream{key, counter_lo, counter_hi};
  uint64_t count = 1;
  for (const uint64_t n : shape) count *= n;
  run(count, [&] {
    fill_strided(kernel(), stream, law, Dtype(dtype), start, {shape, steps, strides},
                 reinterpret_cast<void*>(out), threads);
  });
}

// (address, dtype, law, key, counter_lo, counter_hi, start, count) each.
using PyTask =
    std::tuple<uintptr_t, uint32_t, nb::bytes, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t>;

class PyTogether {
 public:
  explicit PyTogether(int threads) : fills_(kernel(), threads) {}

  // `held` keeps the memory until nobody writes to it.
  void add(const std::vector<PyTask>& given, nb::list held) {
    std::vector<Task> tasks;
    for (const auto& [out, dtype, law, key, counter_lo, counter_hi, start, count] : given)
      tasks.push_back({reinterpret_cast<void*>(out), Dtype(dtype), law_of(law),
                       {key, counter_lo, counter_hi}, start, count});
    held_.push_back(std::move(held));
    fills_.add(tasks);
  }

  bool wait(double seconds) {
    bool done;
    {
      nb::gil_scoped_release release;
      done = fills_.wait(seconds);
    }
    if (done) held_.clear();
    return done;
  }

  void stop() {
    {
      nb::gil_scoped_release release;
      fills_.stop();
    }
    held_.clear();
  }

 private:
  std::vector<nb::list> held_;  // outlives what writes
  Together fills_;
};

void py_apply(nb::bytes constants, uint32_t dtype, uintptr_t words, uint64_t count, uintptr_t out) {
  const Law law = law_of(constants);
  run(count, [&] {
    kernel().apply(law, Dtype(dtype), reinterpret_cast<const uint32_t*>(words), count,
                   reinterpret_cast<void*>(out));
  });
}

bool py_normal_bounds(nb::bytes constants, uintptr_t words, uint64_t count, uintptr_t inner,
                      uintptr_t outer) {
  const Law law = law_of(constants);
  bool found = false;
  run(count, [&] {
    found = kernel().normal_bounds(law, reinterpret_cast<const uint32_t*>(words), count,
                                   reinterpret_cast<float*>(inner), reinterpret_cast<float*>(outer));
  });
  return found;
}

nb::tuple py_moments(uintptr_t data, uint32_t dtype, uint64_t count) {
  Moments result;
  run(count, [&] { result = kernel().moments(reinterpret_cast<const void*>(data), Dtype(dtype), count); });
  return nb::make_tuple(result.sum, result.sum_of_squares);
}

nb::tuple py_fill_measured(uintptr_t out, uint32_t dtype, nb::bytes constants, uint64_t key,
                           uint64_t counter_lo, uint64_t counter_hi, uint64_t start,
                           uint64_t count) {
  const Law law = law_of(constants);
  const Stream stream{key, counter_lo, counter_hi};
  Measured result;
  run(count, [&] {
    result = fill_measured(kernel(), stream, law, Dtype(dtype), start, count,
                           reinterpret_cast<void*>(out));
  });
  return nb::make_tuple(result.moments.sum, result.moments.sum_of_squares, result.crc);
}

uint32_t py_crc32(uint32_t before, uintptr_t data, uint64_t count) {
  uint32_t result;
  run(count, [&] { result = crc32(before, reinterpret_cast<const void*>(data), count); });
  return result;
}

}  // namespace

const Kernel& glorot::kernel() { return *current.load(std::memory_order_relaxed); }

NB_MODULE(_native, m) {
  current = available_kernels().front();
  m.def("target", [] { return std::string(kernel().name); }, "The target in use.");
  m.def("targets", [] {
    std::vector<std::string> names;
    for (const Kernel* candidate : available_kernels()) names.emplace_back(candidate->name);
    return names;
  }, "The targets this machine can run, best first.");
  m.def("set_target", &set_target, nb::arg("name"));
  m.def("fill_run", &py_fill_run);
  m.def("fill_strided", &py_fill_strided);
  nb::class_<PyTogether>(m, "Together")
      .def(nb::init<int>())
      .def("add", &PyTogether::add)
      .def("wait", &PyTogether::wait)
      .def("stop", &PyTogether::stop);
  m.def("apply", &py_apply);
  m.def("normal_bounds", &py_normal_bounds);
  m.def("moments", &py_moments);
  if (has_crc32()) {
    m.def("crc32", &py_crc32);
    m.def("fill_measured", &py_fill_measured);
  }
  bind_torch(m);
  m.def("xla_handler", [] { return reinterpret_cast<uintptr_t>(xla_handler(&kernel)); },
        "The address of the kernel as a custom call of XLA; 0 where there is none.");
}
