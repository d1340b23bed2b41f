// A peer that speaks frames by hand, for what no honest implementation says.
#pragma once

#include "tests/unit/common/http2/http2_fixture.h"

#include <cstdint>
#include <deque>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace aquifer::http2::testing {

// RFC 9113 section 6
enum : std::uint8_t {
  kData,
  kHeaders,
  kPriority,
  kRstStream,
  kSettings,
  kPushPromise,
  kPing,
  kGoaway,
  kWindowUpdate,
  kContinuation
};
enum : std::uint8_t { kEndStream = 1, kAck = 1, kEndHeaders = 4, kPadded = 8 };
// RFC 9113 section 7
enum : std::uint32_t {
  kNoError,
  kProtocolError,
  kInternalError,
  kFlowControlError,
  kSettingsTimeout,
  kStreamClosed,
  kFrameSizeError,
  kRefusedStream,
  kCancel,
  kCompressionError,
  kConnectError,
  kEnhanceYourCalm
};

struct Frame {
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::uint32_t stream = 0;
  std::string payload;

  [[nodiscard]] std::uint32_t number(std::size_t at = 0) const {
    std::uint32_t value = 0;
    for (std::size_t i = at; i < at + 4 && i < payload.size(); ++i)
      value = value << 8U | static_cast<std::uint8_t>(payload[i]);
    return value;
  }
  [[nodiscard]] bool ends() const { return (flags & kEndStream) != 0; }
};

inline std::string big_endian(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> (8 * i)));
  return out;
}

inline std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                         std::string_view payload = {}) {
  std::string out = big_endian(payload.size(), 3);
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(flags));
  return out + big_endian(stream, 4) + std::string(payload);
}

using Fields = std::initializer_list<std::pair<std::string_view, std::string_view>>;

/// Literal fields without indexing (RFC 7541 section 6.2.2).
inline std::string block(Fields fields) {
  std::string out;
  const auto text = [&](std::string_view value) {
    // Strings of 127 bytes and more: the rest of the length in groups of seven bits.
    if (value.size() < 127) {
      out.push_back(static_cast<char>(value.size()));
    } else {
      out.push_back(127);
      std::size_t rest = value.size() - 127;
      for (; rest >= 128; rest /= 128) out.push_back(static_cast<char>(rest % 128 + 128));
      out.push_back(static_cast<char>(rest));
    }
    out.append(value);
  };
  for (const auto& [name, value] : fields) {
    out.push_back(0);
    text(name);
    text(value);
  }
  return out;
}

inline std::string get_block() {
  return block({{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}});
}
inline std::string post_block() {
  return block({{":method", "POST"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}});
}
inline std::string headers(std::uint32_t stream, std::string_view fields,
                           std::uint8_t flags = kEndStream) {
  return frame(kHeaders, static_cast<std::uint8_t>(flags | kEndHeaders), stream, fields);
}
inline std::string rst(std::uint32_t stream, std::uint32_t code) {
  return frame(kRstStream, 0, stream, big_endian(code, 4));
}
inline std::string window_update(std::uint32_t stream, std::uint32_t bytes) {
  return frame(kWindowUpdate, 0, stream, big_endian(bytes, 4));
}
inline std::string setting(std::uint16_t id, std::uint32_t value) {
  return frame(kSettings, 0, 0, big_endian(id, 2) + big_endian(value, 4));
}

inline const std::string kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// One end of a connection, by hand.
class RawPeer {
 public:
  explicit RawPeer(std::unique_ptr<MemoryStream> stream) : stream_(std::move(stream)) {}

  void send(std::string_view bytes) {
    std::ignore = stream_->write(io::Buffer::copy_of(as_bytes(bytes)));
  }
  /// The next frame; none once the other side has ended.
  coro::Task<std::optional<Frame>> next() {
    for (;;) {
      if (const auto whole = cut()) co_return whole;
      auto more = co_await stream_->read(1U << 20U, nullptr);
      if (!more || more->empty()) co_return std::nullopt;
      received_.append(as_text(more->view()));
    }
  }
  /// The next frame of this type, passing over all others.
  coro::Task<Frame> next_of(std::uint8_t type) {
    for (;;) {
      auto found = co_await next();
      REQUIRE_MESSAGE(found.has_value(), "the connection ended before a frame of type ", int{type});
      if (found->type == type) co_return std::move(*found);
    }
  }
  /// Passes over everything up to the end.
  coro::Task<void> to_the_end() {
    for (;;) {
      const auto one = co_await next();
      if (!one) co_return;
    }
  }
  void hang_up() { stream_.reset(); }
  [[nodiscard]] MemoryStream& stream() { return *stream_; }
  /// Of a client: its preface was read.
  void expect_preface() { preface_ = kPreface.size(); }

 private:
  std::optional<Frame> cut() {
    if (preface_ > 0 && received_.size() >= preface_) {
      CHECK(received_.starts_with(kPreface));
      received_.erase(0, preface_);
      preface_ = 0;
    }
    if (preface_ > 0 || received_.size() < 9) return std::nullopt;
    const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(received_[i]); };
    const std::size_t length = std::size_t{at(0)} << 16U | std::size_t{at(1)} << 8U | at(2);
    if (received_.size() < 9 + length) return std::nullopt;
    Frame found;
    found.type = at(3);
    found.flags = at(4);
    for (std::size_t i = 5; i < 9; ++i) found.stream = found.stream << 8U | at(i);
    found.payload = received_.substr(9, length);
    received_.erase(0, 9 + length);
    return found;
  }

  std::unique_ptr<MemoryStream> stream_;
  std::string received_;
  std::size_t preface_ = 0;
};

/// A server of ours whose client is raw.
struct RawClient {
  std::unique_ptr<MemoryStream> far;
  std::unique_ptr<ServerConnection> server;
  std::optional<RawPeer> peer;
  coro::CancelSource stop;
  coro::Scope running;

  /// With the preface and empty SETTINGS said.
  void start(io::Loop& loop, Serve serve, ServerOptions options = {}) {
    connect(loop, std::move(serve), options);
    peer->send(kPreface + frame(kSettings, 0, 0));
  }
  void connect(io::Loop& loop, Serve serve, ServerOptions options = {}) {
    auto [near, other] = MemoryStream::pair(std::size_t{16} << 20U);
    far = std::move(other);
    peer.emplace(std::move(near));
    server = std::make_unique<ServerConnection>(loop, *far, std::move(serve), options);
    running.spawn(run_server(*this));
  }
  coro::Task<void> finish() {
    peer->hang_up();
    co_await running.join();
  }
  static coro::Task<void> run_server(RawClient& self) {
    co_await self.server->run(io::Buffer(), &self.stop);
    CHECK(self.server->streams() == 0);
    self.far.reset();
  }
};

/// A client of ours whose server is raw.
struct RawServer {
  std::unique_ptr<ClientConnection> client;
  std::optional<RawPeer> peer;
  coro::CancelSource stop;
  coro::Scope running;

  /// With SETTINGS said: `settings` are frames.
  void start(io::Loop& loop, std::string_view settings = frame(kSettings, 0, 0),
             ClientOptions options = {}) {
    auto [near, other] = MemoryStream::pair(std::size_t{16} << 20U);
    peer.emplace(std::move(other));
    peer->expect_preface();
    client = std::make_unique<ClientConnection>(loop, std::move(near), options);
    running.spawn(run_client(*this));
    peer->send(settings);
  }
  coro::Task<void> finish() {
    peer->hang_up();
    co_await running.join();
    client.reset();
  }
  static coro::Task<void> run_client(RawServer& self) {
    co_await self.client->run(&self.stop);
    CHECK(self.client->streams() == 0);
    CHECK(self.client->ended());
  }
};

}  // namespace aquifer::http2::testing
