// Which lengths of prefixes are in use, so that a look-up by range tries those alone: usually none,
// rarely more than three.
#pragma once

#include "common/base/address.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace aquifer::model {

class PrefixLengths {
 public:
  void add(const Cidr& cidr) noexcept {
    ++count_of(cidr);
    ++total_;
  }
  void remove(const Cidr& cidr) noexcept {
    --count_of(cidr);
    --total_;
  }

  /// Calls `visit(bits)` for each length in use for the address's family, the longest first, until
  /// it gives true.
  template <typename Visit>
  void for_each(const IpAddress& ip, Visit&& visit) const {
    const auto& counts = ip.is_v4() ? v4_ : v6_;
    const std::size_t longest = ip.is_v4() ? 32 : 128;
    for (std::size_t left = longest + 1; left > 0; --left) {
      if (counts[left - 1] == 0) continue;
      if (visit(static_cast<std::uint8_t>(left - 1))) return;
    }
  }
  [[nodiscard]] bool empty() const noexcept { return total_ == 0; }

 private:
  std::uint32_t& count_of(const Cidr& cidr) noexcept {
    return (cidr.address().is_v4() ? v4_ : v6_)[cidr.prefix_bits()];
  }
  std::array<std::uint32_t, 129> v4_{};
  std::array<std::uint32_t, 129> v6_{};
  std::uint32_t total_ = 0;
};

}  // namespace aquifer::model
