// PostHandshake: reads the messages of the handshake protocol that follow a TLS 1.3 handshake:
// tickets, which are forgotten, and key updates. Keeps no message, only where it is in one. For .cc
// files of common/tls only.
#pragma once

#include "common/base/bytes.h"
#include "common/tls/record_state.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace aquifer::tls {

class PostHandshake {
 public:
  enum class Event : std::uint8_t {
    needs_more,
    key_update,            ///< the peer's next record has new keys
    key_update_requested,  ///< and so must our next one
    unexpected,            ///< a message that must not come now: alert unexpected_message
    malformed,             ///< alert decode_error
    bad_value,             ///< alert illegal_parameter
  };

  explicit PostHandshake(TlsRole role) noexcept : role_(role) {}

  /// Reads one record's content. At most one key update is in it, at its end, because the next byte
  /// is sealed with another key.
  [[nodiscard]] Event read(ByteView content) noexcept;

  /// True exactly when a message has begun and not ended: records of other types must not come
  /// between.
  [[nodiscard]] bool inside_message() const noexcept { return head_size_ > 0; }

  void restore(ByteView head, std::uint32_t left) noexcept;
  [[nodiscard]] std::vector<std::uint8_t> head() const {
    return {head_.begin(), head_.begin() + head_size_};
  }
  [[nodiscard]] std::uint32_t left() const noexcept { return left_; }

 private:
  static constexpr std::size_t kHeadBytes = 4;

  [[nodiscard]] Event judge_head() noexcept;

  TlsRole role_;
  std::array<std::uint8_t, kHeadBytes> head_{};  // type and length
  std::uint8_t head_size_ = 0;
  std::uint32_t left_ = 0;  // bytes of the body that have not come, once the head has
};

}  // namespace aquifer::tls
