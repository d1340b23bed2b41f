// Receive buffers that the kernel hands out: a ring of free blocks, registered with one io_uring.
// Used by the io_uring backend alone, on its loop's thread.
#pragma once

#include "common/base/assert.h"
#include "common/base/result.h"
#include "common/io/buffer.h"

#include <liburing.h>

#include <cstdint>
#include <cstdlib>

namespace aquifer::io {

/// Free buffers of one size that the kernel owns.
class ProvidedBuffers {
 public:
  ProvidedBuffers(std::uint16_t group, std::size_t bytes, std::uint32_t count)
      : pool_(bytes, count), group_(group) {}
  ~ProvidedBuffers() {
    if (ring_memory_ != nullptr) std::free(ring_memory_);
  }
  ProvidedBuffers(const ProvidedBuffers&) = delete;
  ProvidedBuffers& operator=(const ProvidedBuffers&) = delete;

  Status register_with(io_uring& ring) {
    const std::size_t bytes = pool_.count() * sizeof(io_uring_buf);
    void* memory = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    AQUIFER_ASSERT(memory != nullptr);
    ring_memory_ = static_cast<io_uring_buf_ring*>(memory);
    io_uring_buf_ring_init(ring_memory_);
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uintptr_t>(memory);
    registration.ring_entries = pool_.count();
    registration.bgid = group_;
    if (const int rc = io_uring_register_buf_ring(&ring, &registration, 0); rc != 0) {
      return std::unexpected(error_from_errno(-rc, "registering a buffer ring"));
    }
    pool_.set_owner(&ProvidedBuffers::on_free, this);
    for (std::uint32_t slot = 0; slot < pool_.count(); ++slot) provide(slot);
    return {};
  }

  [[nodiscard]] std::uint16_t group() const noexcept { return group_; }
  [[nodiscard]] Buffer lease(std::uint32_t slot, std::size_t bytes) noexcept {
    return pool_.lease(slot, bytes);
  }
  [[nodiscard]] std::size_t payload_bytes() const noexcept { return pool_.payload_bytes(); }
  [[nodiscard]] std::uint32_t leased() const noexcept { return pool_.leased(); }
  void trim() noexcept { pool_.trim(); }

 private:
  static void on_free(void* context, std::uint32_t slot) {
    static_cast<ProvidedBuffers*>(context)->provide(slot);
  }
  void provide(std::uint32_t slot) noexcept {
    const MutableBytes memory = pool_.payload(slot);
    io_uring_buf_ring_add(ring_memory_, memory.data(), static_cast<unsigned>(memory.size()),
                          static_cast<unsigned short>(slot), io_uring_buf_ring_mask(pool_.count()),
                          0);
    io_uring_buf_ring_advance(ring_memory_, 1);
  }

  BufferPool pool_;
  io_uring_buf_ring* ring_memory_ = nullptr;
  std::uint16_t group_;
};

}  // namespace aquifer::io
