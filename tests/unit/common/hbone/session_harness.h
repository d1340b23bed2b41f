// For the session's tests: an owner that writes down what it is told, frames by hand, and a reader
// of frames.
#pragma once

#include "common/hbone/hpack.h"
#include "common/hbone/session.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::hbone::test {

/// One frame as it was found in a session's output.
struct Frame {
  FrameHeader header;
  std::string payload;
  [[nodiscard]] std::uint32_t word(std::size_t at = 0) const {
    return load32(reinterpret_cast<const std::uint8_t*>(payload.data()) + at);
  }
};

inline std::string frame(FrameType type, std::uint8_t flags, std::uint32_t id,
                         std::string_view payload = {}) {
  std::string out(kFrameHeaderBytes, '\0');
  encode_frame_header(reinterpret_cast<std::uint8_t*>(out.data()),
                      {.length = static_cast<std::uint32_t>(payload.size()),
                       .type = type,
                       .flags = flags,
                       .stream_id = id});
  return out.append(payload);
}

inline std::string word(std::uint32_t value) {
  std::string out(4, '\0');
  store32(reinterpret_cast<std::uint8_t*>(out.data()), value);
  return out;
}

inline std::string setting(SettingId id, std::uint32_t value) {
  std::string out(2, '\0');
  store16(reinterpret_cast<std::uint8_t*>(out.data()), static_cast<std::uint16_t>(id));
  return out + word(value);
}

/// A block of literal fields without indexing and without Huffman coding (RFC 7541 section 6.2.2),
/// any names at all.
inline std::string block(const std::vector<HeaderField>& fields) {
  const auto put = [](std::string& out, std::string_view text) {
    if (text.size() < 127) {
      out += static_cast<char>(text.size());
    } else {
      out += '\x7f';
      std::size_t rest = text.size() - 127;
      for (; rest >= 128; rest /= 128) out += static_cast<char>(rest % 128 + 128);
      out += static_cast<char>(rest);
    }
    out += text;
  };
  std::string out;
  for (const auto& [name, value] : fields) {
    out += '\0';
    put(out, name);
    put(out, value);
  }
  return out;
}

inline const std::vector<HeaderField> kConnectFields = {{":method", "CONNECT"},
                                                        {":authority", "10.0.0.1:80"}};

inline std::string headers(std::uint32_t id, const std::vector<HeaderField>& fields,
                           std::uint8_t extra_flags = 0) {
  return frame(FrameType::headers, flag::kEndHeaders | extra_flags, id, block(fields));
}
inline std::string connect(std::uint32_t id, std::uint8_t extra_flags = 0) {
  return headers(id, kConnectFields, extra_flags);
}
inline std::string data(std::uint32_t id, std::string_view payload, std::uint8_t flags = 0) {
  return frame(FrameType::data, flags, id, payload);
}
inline std::string rst(std::uint32_t id, ErrorCode code) {
  return frame(FrameType::rst_stream, 0, id, word(static_cast<std::uint32_t>(code)));
}
inline std::string window_update(std::uint32_t id, std::uint32_t increment) {
  return frame(FrameType::window_update, 0, id, word(increment));
}

/// Takes all bytes of a queue apart. Skips a client's preface.
inline std::vector<Frame> take_frames(io::ChunkQueue& queue) {
  std::string bytes;
  while (!queue.empty()) {
    bytes.append(as_text(queue.front()));
    queue.consume(queue.front().size());
  }
  std::string_view rest = bytes;
  if (rest.starts_with(kClientPreface)) rest.remove_prefix(kClientPreface.size());
  std::vector<Frame> frames;
  while (rest.size() >= kFrameHeaderBytes) {
    Frame one{.header = decode_frame_header(as_bytes(rest).data()), .payload = {}};
    one.payload = rest.substr(kFrameHeaderBytes, one.header.length);
    rest.remove_prefix(kFrameHeaderBytes + one.payload.size());
    frames.push_back(std::move(one));
  }
  return frames;
}

/// Writes every event down. Keeps what arrives unless `drain_at_once`.
struct Recorder final : SessionEvents {
  struct PerStream {
    Stream* stream = nullptr;
    std::string received;
    bool ended = false;
    bool reset = false;
    ErrorCode code = ErrorCode::no_error;
    int status = 0;
    ConnectRequest request;
    ConnectResponse response;
    int window_events = 0;
  };
  std::map<std::uint32_t, PerStream> streams;
  bool drain_at_once = false;
  int connection_window_events = 0;
  int settings_events = 0;
  int settings_acks = 0;
  std::vector<std::uint64_t> ping_acks;
  std::vector<std::pair<std::uint32_t, ErrorCode>> goaways;

  void on_request(Stream& stream, ConnectRequest&& request) override {
    streams[stream.id()].stream = &stream;
    streams[stream.id()].request = std::move(request);
  }
  void on_response(Stream& stream, ConnectResponse&& response) override {
    streams[stream.id()].status = response.status;
    streams[stream.id()].response = std::move(response);
  }
  std::size_t on_data(Stream& stream, ByteView payload) override {
    streams[stream.id()].received.append(as_text(payload));
    return drain_at_once ? payload.size() : 0;
  }
  void on_end_stream(Stream& stream) override { streams[stream.id()].ended = true; }
  void on_reset(Stream& stream, ErrorCode code) override {
    streams[stream.id()].reset = true;
    streams[stream.id()].code = code;
  }
  void on_window(Stream& stream) override { ++streams[stream.id()].window_events; }
  void on_connection_window() override { ++connection_window_events; }
  void on_goaway(std::uint32_t last_id, ErrorCode code) override {
    goaways.emplace_back(last_id, code);
  }
  void on_ping_ack(std::uint64_t opaque) override { ping_acks.push_back(opaque); }
  void on_settings() override { ++settings_events; }
  void on_settings_ack() override { ++settings_acks; }
};

/// A session with its recorder and output, fed by hand.
struct Peer {
  explicit Peer(const SessionConfig& config) : session(config, out, events) {}

  Status receive(std::string_view bytes) { return session.receive(as_bytes(bytes), now); }
  std::vector<Frame> sent() { return take_frames(out); }
  /// The only frame sent of this kind.
  std::vector<Frame> sent(FrameType type) {
    std::vector<Frame> some;
    for (Frame& one : sent()) {
      if (one.header.type == type) some.push_back(std::move(one));
    }
    return some;
  }
  Recorder::PerStream& at(std::uint32_t id) { return events.streams[id]; }

  MonoTime now{};
  io::ChunkQueue out;
  Recorder events;
  Session session;
};

/// A server that has exchanged SETTINGS (each side acknowledged) and whose output so far is thrown
/// away. The peer's header table is at 0.
struct Server : Peer {
  explicit Server(const SessionConfig& config = SessionConfig::server()) : Peer(config) {
    session.start();
    (void)receive(kClientPreface);
    (void)receive(frame(FrameType::settings, 0, 0));
    if (config.local.header_table_size != 0)
      (void)receive(frame(FrameType::settings, flag::kAck, 0));
    (void)sent();
  }
};

inline SessionConfig server_with_table() {
  SessionConfig config = SessionConfig::server();
  config.local.header_table_size = kDefaultHeaderTableSize;
  return config;
}

/// The same for a client.
struct Client : Peer {
  explicit Client(const SessionConfig& config = SessionConfig::client()) : Peer(config) {
    session.start();
    (void)receive(frame(FrameType::settings, 0, 0));
    (void)sent();
  }
};

inline bool is_goaway(const std::vector<Frame>& frames, ErrorCode code) {
  return !frames.empty() && frames.back().header.type == FrameType::goaway &&
         frames.back().word(4) == static_cast<std::uint32_t>(code);
}
inline bool is_rst(const std::vector<Frame>& frames, std::uint32_t id, ErrorCode code) {
  for (const Frame& one : frames) {
    if (one.header.type == FrameType::rst_stream && one.header.stream_id == id) {
      return one.word() == static_cast<std::uint32_t>(code);
    }
  }
  return false;
}

}  // namespace aquifer::hbone::test
