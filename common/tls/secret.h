// Secret: a traffic secret of TLS 1.3, wiped when it is dropped.
#pragma once

#include "common/base/bytes.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace aquifer::tls {

/// As long as its suite's hash: 32 or 48 bytes. Never logged, compared only in tests.
class Secret {
 public:
  static constexpr std::size_t kBytesMax = 48;

  Secret() noexcept = default;
  explicit Secret(ByteView bytes) noexcept;
  Secret(const Secret&) noexcept = default;
  Secret& operator=(const Secret&) noexcept = default;
  ~Secret();

  [[nodiscard]] ByteView view() const noexcept { return {bytes_.data(), size_}; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

 private:
  std::array<std::uint8_t, kBytesMax> bytes_{};
  std::size_t size_ = 0;
};

}  // namespace aquifer::tls
