// CopyCounter: who hears of the bytes that a copy moves.
#pragma once

#include <cstdint>

namespace aquifer::io {

/// Told of bytes as they pass, by who sent them.
class CopyCounter {
 public:
  virtual void from_client(std::uint64_t bytes) noexcept = 0;
  virtual void to_client(std::uint64_t bytes) noexcept = 0;

 protected:
  ~CopyCounter() = default;
};

}  // namespace aquifer::io
