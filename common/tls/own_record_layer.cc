#include "common/tls/own_record_layer.h"

#include "common/base/assert.h"
#include "common/tls/openssl.h"
#include "common/tls/tls_error.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace aquifer::tls {
namespace {

// What a peer says when it will not have us; the words are those of RFC 8446, section 6.2.
const char* context_of(int alert) noexcept {
  switch (alert) {
    case SSL_AD_BAD_CERTIFICATE: return "the peer sent alert bad_certificate";
    case SSL_AD_UNSUPPORTED_CERTIFICATE: return "the peer sent alert unsupported_certificate";
    case SSL_AD_CERTIFICATE_REVOKED: return "the peer sent alert certificate_revoked";
    case SSL_AD_CERTIFICATE_EXPIRED: return "the peer sent alert certificate_expired";
    case SSL_AD_CERTIFICATE_UNKNOWN: return "the peer sent alert certificate_unknown";
    case SSL_AD_UNKNOWN_CA: return "the peer sent alert unknown_ca";
    case SSL_AD_ACCESS_DENIED: return "the peer sent alert access_denied";
    case SSL_AD_CERTIFICATE_REQUIRED: return "the peer sent alert certificate_required";
    default: return "the peer sent a TLS alert";
  }
}

// RFC 8446, 5.5: AES-GCM keys are good for 2^24.5 full records. A power of two below that: 256 GiB.
constexpr std::uint64_t kRecordsPerKeyMax = 1ULL << 24;

// Tickets, a key update, empty records: nobody needs many in a row, and each costs us a decryption.
constexpr int kIdleRecordsMax = 32;

// Sealed in one piece of memory: 8 records, as a block of the queue holds.
constexpr std::size_t kRecordsPerReserve = 8;

constexpr std::size_t kPiecesPerRecordMax = 16;

constexpr std::uint8_t kAlertWarning = 1;
constexpr std::uint8_t kAlertFatal = 2;
constexpr std::uint8_t kKeyUpdateMessage = 24;

// Walks over the caller's pieces and cuts off one record's content at a time.
class PieceCursor {
 public:
  explicit PieceCursor(std::span<const ByteView> pieces) noexcept : pieces_(pieces) {
    for (const ByteView piece : pieces) left_ += piece.size();
  }
  [[nodiscard]] std::size_t left() const noexcept { return left_; }

  /// Fills `record` with the next pieces, at most kRecordContentMax bytes and kPiecesPerRecordMax
  /// pieces.
  std::size_t cut(std::array<ByteView, kPiecesPerRecordMax>& record, std::size_t& count) noexcept {
    std::size_t bytes = 0;
    count = 0;
    while (!pieces_.empty() && bytes < kRecordContentMax && count < record.size()) {
      const ByteView rest = pieces_.front().subspan(offset_);
      const std::size_t size = std::min(rest.size(), kRecordContentMax - bytes);
      if (size > 0) record[count++] = rest.first(size);
      bytes += size;
      offset_ += size;
      if (offset_ == pieces_.front().size()) {
        pieces_ = pieces_.subspan(1);
        offset_ = 0;
      }
    }
    left_ -= bytes;
    return bytes;
  }

 private:
  std::span<const ByteView> pieces_;
  std::size_t offset_ = 0;
  std::size_t left_ = 0;
};

// An upper bound: pieces that are too many for one record make it shorter, but that is rare enough
// to reserve anew.
std::size_t sealed_size(std::size_t bytes) noexcept {
  const std::size_t batch = std::min(bytes, kRecordsPerReserve * kRecordContentMax);
  const std::size_t records = (batch + kRecordContentMax - 1) / kRecordContentMax;
  return batch + records * kRecordOverhead;
}

std::size_t payload_size(ByteView header) noexcept {
  return static_cast<std::size_t>(header[3]) << 8 | header[4];
}

}  // namespace

Result<std::unique_ptr<RecordLayer>> restore_record_layer(RecordState state) {
  TRY(auto layer, OwnRecordLayer::create(std::move(state)));
  return std::unique_ptr<RecordLayer>(std::move(layer));
}

Result<std::unique_ptr<OwnRecordLayer>> OwnRecordLayer::create(RecordState state) {
  TRY(auto write, TrafficKey::create(state.suite, TrafficKey::Use::seal, state.write));
  TRY(auto read, TrafficKey::create(state.suite, TrafficKey::Use::open, state.read));
  return std::unique_ptr<OwnRecordLayer>(
      new OwnRecordLayer(state, std::move(write), std::move(read)));
}

OwnRecordLayer::OwnRecordLayer(const RecordState& state, TrafficKey write, TrafficKey read)
    : suite_(state.suite),
      role_(state.role),
      write_(std::move(write)),
      read_(std::move(read)),
      closed_(state.closed),
      peer_closed_(state.peer_closed),
      partial_(state.ciphertext),
      pending_(state.plaintext),
      messages_(state.role) {
  messages_.restore(state.message_head, state.message_left);
}

OwnRecordLayer::~OwnRecordLayer() = default;

Status OwnRecordLayer::seal(std::span<const ByteView> plaintext, io::ChunkQueue& out) {
  if (closed_) return fail(Errc::closed, "sealing after close_notify");
  if (failure_) return fail(*failure_);
  clear_tls_errors();
  PieceCursor cursor(plaintext);
  std::array<ByteView, kPiecesPerRecordMax> pieces;
  while (cursor.left() > 0) {
    if (write_.sequence() >= kRecordsPerKeyMax) TRY_VOID(update_keys(PeerToo::no, out));
    const std::size_t wanted = sealed_size(cursor.left());
    const MutableBytes room = out.reserve(wanted);
    std::size_t used = 0;
    while (cursor.left() > 0 && write_.sequence() < kRecordsPerKeyMax) {
      // As long as a whole record surely fits.
      if (wanted - used < std::min(cursor.left(), kRecordContentMax) + kRecordOverhead) break;
      std::size_t count = 0;
      const std::size_t bytes = cursor.cut(pieces, count);
      const auto used_pieces = std::span<const ByteView>(pieces).first(count);
      if (!write_.seal(ContentType::application_data, used_pieces, bytes, room.data() + used)) {
        out.commit(0);
        die("sealing TLS records", "AES-GCM failed");
        return fail(*failure_);
      }
      used += bytes + kRecordOverhead;
    }
    out.commit(used);
  }
  return {};
}

Status OwnRecordLayer::send(ContentType type, ByteView content, io::ChunkQueue& out) {
  const MutableBytes room = out.reserve(content.size() + kRecordOverhead);
  const std::array pieces = {content};
  if (!write_.seal(type, pieces, content.size(), room.data())) {
    out.commit(0);
    die("sealing TLS records", "AES-GCM failed");
    return fail(*failure_);
  }
  out.commit(content.size() + kRecordOverhead);
  return {};
}

Status OwnRecordLayer::update_keys(PeerToo peer, io::ChunkQueue& out) {
  const std::array<std::uint8_t, 5> message = {
      kKeyUpdateMessage, 0, 0, 1, static_cast<std::uint8_t>(peer == PeerToo::requested ? 1 : 0)};
  TRY_VOID(send(ContentType::handshake, message, out));
  return write_.update();
}

Status OwnRecordLayer::close_notify(io::ChunkQueue& out) {
  if (closed_ || failure_) return {};
  closed_ = true;
  const std::array<std::uint8_t, 2> alert = {kAlertWarning, SSL3_AD_CLOSE_NOTIFY};
  return send(ContentType::alert, alert, out);
}

// The next record if all of it is there, taken from `ciphertext`; a view of it that lives until
// partial_ changes. What is no whole record moves into partial_.
ByteView OwnRecordLayer::whole_record(ByteView& ciphertext) {
  const auto fill = [&](std::size_t size) {
    const std::size_t count = std::min(size - std::min(size, partial_.size()), ciphertext.size());
    partial_.insert(partial_.end(), ciphertext.begin(),
                    ciphertext.begin() + static_cast<std::ptrdiff_t>(count));
    ciphertext = ciphertext.subspan(count);
    return partial_.size() >= size;
  };
  if (partial_.empty() && ciphertext.size() >= kRecordHeaderBytes) {
    const std::size_t size = kRecordHeaderBytes + payload_size(ciphertext);
    // A size that is refused needs no more than its header to be refused.
    if (size > kRecordHeaderBytes + kRecordPayloadMax) {
      const ByteView header = ciphertext.first(kRecordHeaderBytes);
      ciphertext = {};
      return header;
    }
    if (ciphertext.size() >= size) {
      const ByteView record = ciphertext.first(size);
      ciphertext = ciphertext.subspan(size);
      return record;
    }
    partial_.reserve(size);
  }
  if (!fill(kRecordHeaderBytes)) return {};
  const std::size_t size = kRecordHeaderBytes + payload_size(partial_);
  if (size > kRecordHeaderBytes + kRecordPayloadMax) {
    ciphertext = {};
    return ByteView(partial_).first(kRecordHeaderBytes);
  }
  partial_.reserve(size);
  return fill(size) ? ByteView(partial_) : ByteView{};
}

std::size_t OwnRecordLayer::hand_out(MutableBytes plaintext) noexcept {
  const std::size_t count = std::min(plaintext.size(), pending_.size() - pending_begin_);
  if (count == 0) return 0;
  std::memcpy(plaintext.data(), pending_.data() + pending_begin_, count);
  pending_begin_ += count;
  if (pending_begin_ == pending_.size()) {
    pending_ = {};
    pending_begin_ = 0;
  }
  return count;
}

Result<std::size_t> OwnRecordLayer::open(ByteView& ciphertext, MutableBytes plaintext,
                                         io::ChunkQueue& reply) {
  std::size_t total = hand_out(plaintext);
  while (total < plaintext.size() && !peer_closed_ && !failure_) {
    // What does not fit is opened elsewhere and copied: only for the first record of a call, so
    // that a caller with a large buffer never pays for it at the buffer's end.
    const MutableBytes room = plaintext.subspan(total);
    if (total > 0 && room.size() < kRecordPayloadMax) break;
    const ByteView record = whole_record(ciphertext);
    if (record.empty()) break;
    total += open_record(record, room, reply);
    // Whichever held the record: freed, so that an idle connection holds nothing.
    if (!partial_.empty()) partial_ = {};
  }
  if (peer_closed_ || failure_) ciphertext = {};
  if (total > 0 || !failure_) return total;
  set_tls_error_text(failure_text_);
  return fail(*failure_);
}

// Returns how many bytes of application data it wrote to `plaintext`.
std::size_t OwnRecordLayer::open_record(ByteView record, MutableBytes plaintext,
                                        io::ChunkQueue& reply) {
  const std::size_t payload = payload_size(record);
  if (payload > kRecordPayloadMax) {
    refuse(SSL_AD_RECORD_OVERFLOW, "a record that is too long", reply);
    return 0;
  }
  // RFC 8446, 5: after the handshake there is nothing but protected records, and no
  // change_cipher_spec.
  if (record[0] != static_cast<std::uint8_t>(ContentType::application_data)) {
    refuse(SSL_AD_UNEXPECTED_MESSAGE, "a record of an unexpected type", reply);
    return 0;
  }
  if (payload <= kTagBytes) {
    refuse(SSL_AD_DECODE_ERROR, "a record that is too short", reply);
    return 0;
  }
  if (++idle_records_ > kIdleRecordsMax) {
    refuse(SSL_AD_UNEXPECTED_MESSAGE, "too many records without data", reply);
    return 0;
  }
  std::size_t inner_bytes = payload - kTagBytes;
  const bool fits = plaintext.size() >= inner_bytes;
  if (!fits) pending_.resize(inner_bytes);
  std::uint8_t* inner = fits ? plaintext.data() : pending_.data();
  if (!read_.open(record, inner)) {
    pending_ = {};
    refuse(SSL_AD_BAD_RECORD_MAC, "a record that is not authentic", reply);
    return 0;
  }
  // RFC 8446, 5.4: content, type and padding together have a limit; zeros behind the type are
  // padding.
  const bool too_long = inner_bytes > kRecordContentMax + 1;
  while (inner_bytes > 0 && inner[inner_bytes - 1] == 0) --inner_bytes;
  if (too_long || inner_bytes == 0) {
    pending_ = {};
    refuse(too_long ? SSL_AD_RECORD_OVERFLOW : SSL_AD_UNEXPECTED_MESSAGE,
           too_long ? "a record that is too long" : "a record without a type", reply);
    return 0;
  }
  const std::size_t content_bytes = inner_bytes - 1;
  const auto type = static_cast<ContentType>(inner[content_bytes]);
  if (type == ContentType::application_data && !messages_.inside_message()) {
    if (content_bytes > 0) idle_records_ = 0;
    if (fits) return content_bytes;
    pending_.resize(content_bytes);
    return hand_out(plaintext);
  }
  dispatch(type, {inner, content_bytes}, reply);
  if (!fits) pending_ = {};
  return 0;
}

void OwnRecordLayer::dispatch(ContentType type, ByteView content, io::ChunkQueue& reply) {
  // RFC 8446, 5.1: nothing may come between the parts of a handshake message.
  if (type == ContentType::handshake) return take_handshake(content, reply);
  if (type == ContentType::alert && !messages_.inside_message()) return take_alert(content, reply);
  refuse(SSL_AD_UNEXPECTED_MESSAGE, "a record of an unexpected type", reply);
}

void OwnRecordLayer::take_alert(ByteView content, io::ChunkQueue& reply) {
  if (content.size() != 2)
    return refuse(SSL_AD_DECODE_ERROR, "an alert of the wrong length", reply);
  // RFC 8446, 6: the level means nothing. Two alerts are no errors.
  const int alert = content[1];
  if (alert == SSL_AD_CLOSE_NOTIFY) {
    peer_closed_ = true;
    return;
  }
  if (alert == SSL_AD_USER_CANCELLED) return;
  die(context_of(alert), std::string("the peer sent alert ") + SSL_alert_desc_string_long(alert));
}

void OwnRecordLayer::take_handshake(ByteView content, io::ChunkQueue& reply) {
  switch (messages_.read(content)) {
    case PostHandshake::Event::needs_more: return;
    case PostHandshake::Event::unexpected:
      return refuse(SSL_AD_UNEXPECTED_MESSAGE, "an unexpected handshake message", reply);
    case PostHandshake::Event::malformed:
      return refuse(SSL_AD_DECODE_ERROR, "a malformed handshake message", reply);
    case PostHandshake::Event::bad_value:
      return refuse(SSL_AD_ILLEGAL_PARAMETER, "a key update with an unknown request", reply);
    case PostHandshake::Event::key_update_requested:
      // RFC 8446, 4.6.3: answered before our next data, and never with a request of our own. After
      // close_notify nothing is sent any more.
      if (!closed_ && !update_keys(PeerToo::no, reply)) return;
      break;
    case PostHandshake::Event::key_update: break;
  }
  if (!read_.update()) die("opening TLS records", "deriving a key failed");
}

void OwnRecordLayer::refuse(int alert, const char* why, io::ChunkQueue& reply) {
  const std::array<std::uint8_t, 2> content = {kAlertFatal, static_cast<std::uint8_t>(alert)};
  if (!closed_) (void)send(ContentType::alert, content, reply);
  die("opening TLS records", std::string("the peer sent ") + why);
}

void OwnRecordLayer::die(const char* context, std::string why) {
  if (failure_) return;
  failure_ = Error(Errc::tls, context);
  failure_text_ = std::move(why);
}

std::optional<RecordState> OwnRecordLayer::export_state() const {
  if (failure_) return std::nullopt;
  RecordState state;
  state.suite = suite_;
  state.role = role_;
  state.write = write_.state();
  state.read = read_.state();
  state.closed = closed_;
  state.peer_closed = peer_closed_;
  state.ciphertext = partial_;
  state.plaintext.assign(pending_.begin() + static_cast<std::ptrdiff_t>(pending_begin_),
                         pending_.end());
  state.message_head = messages_.head();
  state.message_left = messages_.left();
  return state;
}

}  // namespace aquifer::tls
