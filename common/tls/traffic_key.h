// TrafficKey: the AEAD key of one direction of a TLS 1.3 connection, with its sequence number (RFC
// 8446, sections 5.2, 5.3 and 7.2). For .cc files of common/tls only.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/tls/handles.h"
#include "common/tls/record_state.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace aquifer::tls {

inline constexpr std::size_t kRecordHeaderBytes = 5;
inline constexpr std::size_t kTagBytes = 16;
/// RFC 8446, 5.1: content of one record.
inline constexpr std::size_t kRecordContentMax = 16384;
/// RFC 8446, 5.2: what follows the header.
inline constexpr std::size_t kRecordPayloadMax = kRecordContentMax + 256;

/// What a record carries besides its content: header, content type, tag.
inline constexpr std::size_t kRecordOverhead = kRecordHeaderBytes + 1 + kTagBytes;

enum class ContentType : std::uint8_t {
  change_cipher_spec = 20,
  alert = 21,
  handshake = 22,
  application_data = 23
};

class TrafficKey {
 public:
  enum class Use : std::uint8_t { seal, open };

  [[nodiscard]] static Result<TrafficKey> create(CipherSuite suite, Use use,
                                                 const DirectionState& state);

  /// Writes one whole record: `pieces` joined, at most kRecordContentMax. `record` has room for
  /// kRecordOverhead more. False only when the library fails.
  [[nodiscard]] bool seal(ContentType type, std::span<const ByteView> pieces,
                          std::size_t content_bytes, std::uint8_t* record) noexcept;

  /// Opens one whole record into `inner`, which has room for record.size() - kRecordHeaderBytes -
  /// kTagBytes: content, type and padding. False when it is not authentic.
  [[nodiscard]] bool open(ByteView record, std::uint8_t* inner) noexcept;

  /// The next generation: "traffic upd". The sequence starts again.
  [[nodiscard]] Status update();

  [[nodiscard]] DirectionState state() const noexcept { return {secret_, sequence_}; }
  [[nodiscard]] std::uint64_t sequence() const noexcept { return sequence_; }

 private:
  TrafficKey(CipherSuite suite, Use use, const DirectionState& state) noexcept
      : suite_(suite), use_(use), secret_(state.secret), sequence_(state.sequence) {}
  [[nodiscard]] Status derive();
  [[nodiscard]] bool begin_record(const std::uint8_t* header) noexcept;

  static constexpr std::size_t kNonceBytes = 12;

  CipherSuite suite_;
  Use use_;
  Secret secret_;
  std::uint64_t sequence_;
  CipherPtr cipher_;
  std::array<std::uint8_t, kNonceBytes> iv_{};
};

}  // namespace aquifer::tls
