// SPDX-License-Identifier: Apache-2.0
// CRC-32 (zip, gzip, IEEE 802.3) at several times the speed of tables.
#pragma once

#include <cstddef>
#include <cstdint>

namespace glorot {

// Whether this machine multiplies polynomials over GF(2) in one instruction.
bool has_crc32();

// As zlib's crc32(before, data, count); only where has_crc32().
uint32_t crc32(uint32_t before, const void* data, size_t count);

}  // namespace glorot
