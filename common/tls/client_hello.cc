// The server name in a TLS ClientHello: records -> message -> extensions -> name.
#include "common/tls/client_hello.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace aquifer::tls {
namespace {

using Kind = ClientHelloAnswer::Kind;

constexpr std::size_t kRecordHeaderBytes = 5;
constexpr std::size_t kMessageHeaderBytes = 4;
constexpr std::uint8_t kHandshakeRecord = 22;
constexpr std::uint8_t kClientHello = 1;
// RFC 8446 section 5.1.
constexpr std::size_t kRecordBytesMax = std::size_t{1} << 14U;
constexpr std::uint16_t kServerNameExtension = 0;
// RFC 9849: the name that is seen is then not the one that is meant. Clients that only pretend
// (GREASE) cannot be told from those that mean it.
constexpr std::uint16_t kEncryptedClientHelloExtension = 0xfe0d;
constexpr std::uint8_t kHostName = 0;
constexpr std::size_t kHostBytesMax = 253;

/// Reads the fields of TLS's presentation language off the front of some bytes.
class Reader {
 public:
  explicit Reader(ByteView bytes) noexcept : rest_(bytes) {}

  [[nodiscard]] bool at_end() const noexcept { return rest_.empty(); }

  std::optional<ByteView> bytes(std::size_t count) noexcept {
    if (rest_.size() < count) return std::nullopt;
    const ByteView taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }
  std::optional<std::size_t> number(std::size_t width) noexcept {
    const auto taken = bytes(width);
    if (!taken) return std::nullopt;
    std::size_t value = 0;
    for (const std::uint8_t byte : *taken) value = value << 8U | byte;
    return value;
  }
  /// A vector with its length in front.
  std::optional<ByteView> vector(std::size_t width) noexcept {
    const auto length = number(width);
    return length ? bytes(*length) : std::nullopt;
  }

 private:
  ByteView rest_;
};

ClientHelloAnswer answer(Kind kind) {
  return {kind, {}, 0};
}
ClientHelloAnswer need(std::size_t bytes) {
  return {Kind::need_more, {}, bytes};
}

// What is written to logs and compared with policies: a host name and nothing else.
std::optional<std::string> host_name(ByteView bytes) {
  std::string name(bytes.begin(), bytes.end());
  if (name.ends_with('.')) name.pop_back();
  if (name.empty() || name.size() > kHostBytesMax) return std::nullopt;
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    const bool good =
        (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    if (!good) return std::nullopt;
  }
  return name;
}

// The extension's body. It must not hold two host names: the server might take the other one.
ClientHelloAnswer read_server_names(ByteView body) {
  Reader extension(body);
  const auto list = extension.vector(2);
  if (!list || !extension.at_end()) return answer(Kind::not_tls);
  ClientHelloAnswer found = answer(Kind::no_name);
  bool seen = false;
  for (Reader names(*list); !names.at_end();) {
    const auto type = names.number(1);
    const auto text = names.vector(2);
    if (!type || !text) return answer(Kind::not_tls);
    if (*type != kHostName) continue;
    if (seen) return answer(Kind::not_tls);
    seen = true;
    auto host = host_name(*text);
    if (host) found = {Kind::name, std::move(*host), 0};
  }
  return found;
}

ClientHelloAnswer read_extensions(ByteView bytes) {
  ClientHelloAnswer found = answer(Kind::no_name);
  bool seen = false;
  bool encrypted = false;
  for (Reader extensions(bytes); !extensions.at_end();) {
    const auto type = extensions.number(2);
    const auto body = extensions.vector(2);
    if (!type || !body) return answer(Kind::not_tls);
    if (*type == kEncryptedClientHelloExtension) encrypted = true;
    if (*type != kServerNameExtension) continue;
    if (seen) return answer(Kind::not_tls);
    seen = true;
    found = read_server_names(*body);
    if (found.kind == Kind::not_tls) return found;
  }
  return encrypted ? answer(Kind::no_name) : found;
}

ClientHelloAnswer read_hello(ByteView message) {
  Reader hello(message);
  const auto version = hello.number(2);
  const auto random = hello.bytes(32);
  const auto session = hello.vector(1);
  const auto ciphers = hello.vector(2);
  const auto compression = hello.vector(1);
  if (!version || !random || !session || !ciphers || !compression) return answer(Kind::not_tls);
  if (session->size() > 32 || ciphers->size() < 2 || compression->empty()) {
    return answer(Kind::not_tls);
  }
  if (hello.at_end()) return answer(Kind::no_name);  // before extensions were invented
  const auto extensions = hello.vector(2);
  if (!extensions || !hello.at_end()) return answer(Kind::not_tls);
  return read_extensions(*extensions);
}

// How long the whole message is, as soon as its header is there. None: it is no ClientHello.
std::optional<std::size_t> message_length(ByteView message) {
  if (!message.empty() && message[0] != kClientHello) return std::nullopt;
  if (message.size() < kMessageHeaderBytes) return kMessageHeaderBytes;
  Reader header(message.subspan(1));
  return kMessageHeaderBytes + header.number(3).value_or(0);
}

}  // namespace

ClientHelloAnswer look_for_server_name(ByteView bytes) {
  bytes = bytes.first(std::min(bytes.size(), kSniffedBytesMax));
  std::vector<std::uint8_t> message;
  std::size_t at = 0;
  for (std::size_t records = 0;; ++records) {
    const auto length = message_length(message);
    if (!length) return answer(Kind::not_tls);
    if (*length > kClientHelloBytesMax) return answer(Kind::too_long);
    if (message.size() >= *length && message.size() >= kMessageHeaderBytes) {
      return read_hello(
          ByteView(message).subspan(kMessageHeaderBytes, *length - kMessageHeaderBytes));
    }
    if (records == kHelloRecordsMax) return answer(Kind::too_long);
    const ByteView rest = bytes.subspan(at);
    // Told apart at the first byte: HTTP, SSH and the like must not wait for a fifth.
    if (!rest.empty() && rest[0] != kHandshakeRecord) return answer(Kind::not_tls);
    if (rest.size() > 1 && rest[1] != 3) return answer(Kind::not_tls);
    if (rest.size() < kRecordHeaderBytes) {
      if (at + kRecordHeaderBytes > kSniffedBytesMax) return answer(Kind::too_long);
      return need(at + kRecordHeaderBytes);
    }
    const std::size_t record = std::size_t{rest[3]} << 8U | rest[4];
    if (record == 0 || record > kRecordBytesMax) return answer(Kind::not_tls);
    const ByteView body = rest.subspan(kRecordHeaderBytes);
    const ByteView here = body.first(std::min(record, body.size()));
    message.insert(message.end(), here.begin(), here.end());
    if (body.size() < record) {
      // The message may end before its last record does.
      const auto whole = message_length(message);
      if (!whole) return answer(Kind::not_tls);
      if (*whole > kClientHelloBytesMax) return answer(Kind::too_long);
      if (message.size() >= *whole && message.size() >= kMessageHeaderBytes) continue;
      const std::size_t missing =
          std::min(record - body.size(), *whole - std::min(*whole, message.size()));
      const std::size_t wanted = bytes.size() + std::max<std::size_t>(missing, 1);
      return wanted > kSniffedBytesMax ? answer(Kind::too_long) : need(wanted);
    }
    at += kRecordHeaderBytes + record;
  }
}

}  // namespace aquifer::tls
