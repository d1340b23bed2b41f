// The connection: how it starts, what ends it, PING, SETTINGS, GOAWAY, and what a session weighs.
#include "common/hbone/session.h"

#include "tests/unit/common/hbone/session_harness.h"

#include <doctest/doctest.h>

namespace aquifer::hbone {
namespace {

using namespace test;

TEST_CASE("what a stream and a session weigh") {
  CHECK(sizeof(Stream) <= 80);
  CHECK(sizeof(Session) <= 640);
  CHECK(sizeof(StreamState) <= 56);
}

TEST_CASE("a client starts with the preface, its SETTINGS and the connection's window") {
  Peer client(SessionConfig::client());
  client.session.start();
  CHECK(as_text(client.out.front()).starts_with(kClientPreface));
  const auto frames = client.sent();
  REQUIRE(frames.size() == 2);
  Settings settings;
  for (std::size_t at = 0; at < frames[0].payload.size(); at += 6) {
    const auto* bytes = as_bytes(frames[0].payload).data() + at;
    CHECK(apply_setting(settings, load16(bytes), load32(bytes + 2)) == ErrorCode::no_error);
  }
  CHECK(settings == Settings{.header_table_size = 0,
                             .enable_push = 0,
                             .max_concurrent_streams = Settings::kUnlimited,
                             .initial_window_size = 65536,
                             .max_frame_size = 1 << 20,
                             .max_header_list_size = 16384});
  CHECK(frames[1].header.type == FrameType::window_update);
  CHECK(frames[1].header.stream_id == 0);
  CHECK(frames[1].word() == (1 << 20) - kDefaultWindow);
}

TEST_CASE("a server announces 200 streams and 64 KiB of headers, and no push setting of its own") {
  Peer server(SessionConfig::server());
  server.session.start();
  const auto frames = server.sent();
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].payload == setting(SettingId::header_table_size, 0) +
                                 setting(SettingId::max_concurrent_streams, 200) +
                                 setting(SettingId::initial_window_size, 65536) +
                                 setting(SettingId::max_frame_size, 1 << 20) +
                                 setting(SettingId::max_header_list_size, 65536));
}

TEST_CASE(
    "anything but the preface ends the connection at its first wrong byte (RFC 9113 section 3.4)") {
  Peer server(SessionConfig::server());
  server.session.start();
  (void)server.sent();
  CHECK(server.receive("PRI * HTTP/2.0\r\n").has_value());
  CHECK_FALSE(server.receive("GET").has_value());
  CHECK(server.session.error_code() == ErrorCode::protocol_error);
  CHECK(is_goaway(server.sent(), ErrorCode::protocol_error));
  // It stays that way, and says it once.
  CHECK_FALSE(server.receive("x").has_value());
  CHECK(server.out.empty());
}

TEST_CASE("the first frame has to be SETTINGS (section 3.4)") {
  for (const std::string& first :
       {frame(FrameType::ping, 0, 0, "12345678"), frame(FrameType::settings, flag::kAck, 0),
        headers(1, kConnectFields)}) {
    Peer server(SessionConfig::server());
    server.session.start();
    CHECK_FALSE(server.receive(std::string(kClientPreface) + first).has_value());
    CHECK(is_goaway(server.sent(), ErrorCode::protocol_error));
  }
}

TEST_CASE("frames of a wrong size or on a wrong stream end the connection (sections 4.2 and 6)") {
  struct Row {
    const char* what;
    std::string bytes;
    ErrorCode error;
  };
  const std::string eight = "12345678";
  const std::vector<Row> rows = {
      {"DATA without a stream, 6.1", data(0, "x"), ErrorCode::protocol_error},
      {"HEADERS without a stream, 6.2", connect(0), ErrorCode::protocol_error},
      {"HEADERS on an even stream, 5.1.1", connect(2), ErrorCode::protocol_error},
      {"PRIORITY without a stream, 6.3", frame(FrameType::priority, 0, 0, "12345"),
       ErrorCode::protocol_error},
      {"RST_STREAM without a stream, 6.4", rst(0, ErrorCode::cancel), ErrorCode::protocol_error},
      {"RST_STREAM on an idle stream, 6.4", rst(1, ErrorCode::cancel), ErrorCode::protocol_error},
      {"RST_STREAM of 3 bytes, 6.4", frame(FrameType::rst_stream, 0, 1, "123"),
       ErrorCode::frame_size_error},
      {"SETTINGS on a stream, 6.5", frame(FrameType::settings, 0, 1), ErrorCode::protocol_error},
      {"SETTINGS of 3 bytes, 6.5", frame(FrameType::settings, 0, 0, "123"),
       ErrorCode::frame_size_error},
      {"SETTINGS acknowledgement with content, 6.5",
       frame(FrameType::settings, flag::kAck, 0, "123456"), ErrorCode::frame_size_error},
      {"ENABLE_PUSH 2, 6.5.2", frame(FrameType::settings, 0, 0, setting(SettingId::enable_push, 2)),
       ErrorCode::protocol_error},
      {"INITIAL_WINDOW_SIZE 2^31, 6.5.2",
       frame(FrameType::settings, 0, 0, setting(SettingId::initial_window_size, 0x80000000)),
       ErrorCode::flow_control_error},
      {"PUSH_PROMISE by a client, 8.4",
       frame(FrameType::push_promise, flag::kEndHeaders, 1, word(2)), ErrorCode::protocol_error},
      {"PING on a stream, 6.7", frame(FrameType::ping, 0, 1, eight), ErrorCode::protocol_error},
      {"PING of 7 bytes, 6.7", frame(FrameType::ping, 0, 0, "1234567"),
       ErrorCode::frame_size_error},
      {"GOAWAY on a stream, 6.8", frame(FrameType::goaway, 0, 1, eight), ErrorCode::protocol_error},
      {"GOAWAY of 7 bytes, 6.8", frame(FrameType::goaway, 0, 0, "1234567"),
       ErrorCode::frame_size_error},
      {"WINDOW_UPDATE of 3 bytes, 6.9", frame(FrameType::window_update, 0, 0, "123"),
       ErrorCode::frame_size_error},
      {"WINDOW_UPDATE by 0, 6.9", window_update(0, 0), ErrorCode::protocol_error},
      {"WINDOW_UPDATE on an idle stream, 5.1", window_update(1, 1), ErrorCode::protocol_error},
      {"WINDOW_UPDATE past 2^31-1, 6.9.1", window_update(0, 0x7fffffff),
       ErrorCode::flow_control_error},
      {"CONTINUATION without HEADERS, 6.10",
       frame(FrameType::continuation, flag::kEndHeaders, 1, ""), ErrorCode::protocol_error},
      {"DATA on an idle stream, 5.1", data(1, "x"), ErrorCode::protocol_error},
      {"a frame larger than we allow, 4.2",
       frame(FrameType::ping, 0, 0, std::string((1 << 20) + 1, 'x')), ErrorCode::frame_size_error},
      {"PRIORITY of 4 bytes on an idle stream, 6.3", frame(FrameType::priority, 0, 1, "1234"),
       ErrorCode::frame_size_error},
      {"an idle stream that depends on itself, RFC 7540 5.3.1",
       frame(FrameType::priority, 0, 1, word(1) + "x"), ErrorCode::protocol_error},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Server server;
    CHECK_FALSE(server.receive(row.bytes).has_value());
    CHECK(server.session.error_code() == row.error);
    CHECK(is_goaway(server.sent(), row.error));
  }
}

TEST_CASE("a client refuses what only a client may send, and push (sections 8.4 and 6.5.2)") {
  for (const std::string& bytes :
       {connect(2), connect(1), frame(FrameType::push_promise, flag::kEndHeaders, 1, word(2)),
        frame(FrameType::settings, 0, 0, setting(SettingId::enable_push, 1)) +
            frame(FrameType::settings, 0, 0, setting(SettingId::enable_push, 0)) +
            frame(FrameType::settings, 0, 0, setting(SettingId::enable_push, 1))}) {
    Client client;
    CHECK_FALSE(client.receive(bytes).has_value());
    CHECK(client.session.error_code() == ErrorCode::protocol_error);
  }
}

TEST_CASE(
    "PRIORITY, unknown frames and reserved flags pass without a trace (sections 4.1, 5.3.2, 5.5)") {
  Server server;
  CHECK(server.receive(frame(FrameType::priority, 0, 7, "12345")).has_value());
  CHECK(server.receive(frame(static_cast<FrameType>(0x16), 0xff, 9, "anything")).has_value());
  CHECK(server.receive(frame(static_cast<FrameType>(0xee), 0, 0)).has_value());
  CHECK(server.sent().empty());
  CHECK(server.receive(frame(FrameType::ping, 0xfe, 0, "12345678")).has_value());
  CHECK(server.sent(FrameType::ping).size() == 1);
}

TEST_CASE("a PING comes back with its content; ours is reported when it does (section 6.7)") {
  Server server;
  CHECK(server.receive(frame(FrameType::ping, 0, 0, "abcdefgh")).has_value());
  auto frames = server.sent();
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].header.flags == flag::kAck);
  CHECK(frames[0].payload == "abcdefgh");
  server.session.ping(0x0102030405060708);
  frames = server.sent();
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].payload == "\x01\x02\x03\x04\x05\x06\x07\x08");
  CHECK(server.receive(frame(FrameType::ping, flag::kAck, 0, frames[0].payload)).has_value());
  CHECK(server.events.ping_acks == std::vector<std::uint64_t>{0x0102030405060708});
}

TEST_CASE(
    "SETTINGS are acknowledged once each, take effect in order, and ours are known to be "
    "acknowledged") {
  Server server;
  const std::string two =
      setting(SettingId::max_frame_size, 20000) + setting(SettingId::max_frame_size, 30000);
  CHECK(server.receive(frame(FrameType::settings, 0, 0, two)).has_value());
  const auto frames = server.sent();
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].header ==
        FrameHeader{.length = 0, .type = FrameType::settings, .flags = flag::kAck, .stream_id = 0});
  CHECK(server.session.peer_settings().max_frame_size == 30000);
  CHECK(server.events.settings_events == 2);
  CHECK_FALSE(server.session.settings_acked());
  CHECK(server.receive(frame(FrameType::settings, flag::kAck, 0)).has_value());
  CHECK(server.session.settings_acked());
  CHECK(server.receive(frame(FrameType::settings, flag::kAck, 0)).has_value());
  CHECK(server.events.settings_acks == 1);
}

TEST_CASE(
    "a changed initial window moves every open stream, below zero too, and an overflow ends the "
    "connection (6.9.2)") {
  Server server;
  CHECK(server.receive(connect(1)).has_value());
  Stream& stream = *server.at(1).stream;
  CHECK(server.session.respond(stream, {}).has_value());
  CHECK(server.session.send_window(stream) == kDefaultMaxFrameSize);
  const std::string payload(kDefaultWindow, 'x');
  CHECK(server.session.write_data(stream, as_bytes(payload), EndStream::no) == kDefaultWindow);
  const auto initial = [](std::uint32_t size) {
    return frame(FrameType::settings, 0, 0, setting(SettingId::initial_window_size, size));
  };
  // 65535 spent: 10 leaves -65525, so 65525 more only reach zero.
  CHECK(
      server.receive(window_update(0, 100000) + initial(10) + window_update(1, 65525)).has_value());
  CHECK(server.session.send_window(stream) == 0);
  CHECK(server.at(1).window_events == 0);
  CHECK(server.receive(initial(15)).has_value());
  CHECK(server.session.send_window(stream) == 5);
  CHECK(server.at(1).window_events == 1);
  CHECK(server.receive(window_update(1, 0x7fffffff - 5)).has_value());
  CHECK_FALSE(server.receive(initial(16)).has_value());
  CHECK(server.session.error_code() == ErrorCode::flow_control_error);
}

TEST_CASE(
    "graceful shutdown: first everything is still taken, then the last stream is named (section "
    "6.8)") {
  Server server;
  CHECK(server.receive(connect(1)).has_value());
  server.session.announce_shutdown();
  auto frames = server.sent();
  REQUIRE(is_goaway(frames, ErrorCode::no_error));
  CHECK(frames.back().word() == kStreamIdMax);
  CHECK(server.receive(connect(3)).has_value());
  CHECK(server.at(3).stream != nullptr);
  server.session.go_away(ErrorCode::no_error);
  frames = server.sent();
  REQUIRE(is_goaway(frames, ErrorCode::no_error));
  CHECK(frames.back().word() == 3);
  // Too late, and the peer knows: nothing is said about it.
  CHECK(server.receive(connect(5) + data(5, "x")).has_value());
  CHECK(server.events.streams.count(5) == 0);
  CHECK(server.sent().empty());
  CHECK_FALSE(server.session.drained_out());
  server.session.release(*server.at(1).stream);
  server.session.release(*server.at(3).stream);
  CHECK(server.session.drained_out());
}

TEST_CASE(
    "after the peer's GOAWAY its refused streams are reset for trying elsewhere, the others go "
    "on") {
  Client client;
  Stream* const first = *client.session.open({.authority = "a:1"}, nullptr);
  Stream* const second = *client.session.open({.authority = "a:1"}, nullptr);
  CHECK(client.receive(frame(FrameType::goaway, 0, 0, word(1) + word(0) + std::string(300, 'd')))
            .has_value());
  CHECK(client.events.goaways ==
        std::vector<std::pair<std::uint32_t, ErrorCode>>{{1, ErrorCode::no_error}});
  CHECK_FALSE(first->closed());
  CHECK(second->is_reset());
  CHECK(client.at(3).code == ErrorCode::refused_stream);
  CHECK_FALSE(client.session.can_open());
  CHECK(client.session.open({.authority = "a:1"}, nullptr).error().code == Errc::closed);
  CHECK(client.receive(headers(1, {{":status", "200"}})).has_value());
  CHECK(client.at(1).status == 200);
  client.session.release(*second);
  CHECK_FALSE(client.session.drained_out());
  client.session.release(*first);
  CHECK(client.session.drained_out());
}

TEST_CASE("floods of frames that cost nothing to send end the connection") {
  struct Row {
    const char* what;
    std::string one;
    std::size_t times;
  };
  const std::vector<Row> rows = {
      {"PING", frame(FrameType::ping, 0, 0, "12345678"), 2001},
      {"SETTINGS", frame(FrameType::settings, 0, 0), 51},
      {"empty DATA", data(1, ""), 1001},
      {"empty DATA with padding", data(1, std::string("\x02\0\0", 3), flag::kPadded), 1001},
      {"WINDOW_UPDATE", window_update(0, 1), 10001},
      {"PRIORITY", frame(FrameType::priority, 0, 5, "12345"), 20001},
      {"unknown frames", frame(static_cast<FrameType>(0x20), 0, 0), 20001},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Server server;
    REQUIRE(server.receive(connect(1)).has_value());
    std::string flood;
    for (std::size_t i = 0; i < row.times; ++i) flood += row.one;
    CHECK_FALSE(server.receive(flood).has_value());
    CHECK(server.session.error_code() == ErrorCode::enhance_your_calm);
  }
}

TEST_CASE("a peer may ping for each DATA frame that it got, however many there are") {
  SessionConfig config = SessionConfig::server();
  config.flood.by_kind[static_cast<std::size_t>(Flood::ping)] = {.burst = 3, .per_second = 0};
  Server server(config);
  REQUIRE(server.receive(connect(1)).has_value());
  REQUIRE(server.session.respond(*server.at(1).stream, {}).has_value());
  for (int i = 0; i < 100; ++i) {
    CHECK(server.session.write_data(*server.at(1).stream, as_bytes("ping me"), EndStream::no) == 7);
    CHECK(server.receive(frame(FrameType::ping, 0, 0, "12345678")).has_value());
  }
}

TEST_CASE("a peer that asks for answers and reads none is cut off before they fill our memory") {
  Server server;
  REQUIRE(server.receive(connect(1)).has_value());
  REQUIRE(server.session.respond(*server.at(1).stream, {}).has_value());
  Status status;
  std::size_t pings = 0;
  for (; status && pings < 2'000'000; ++pings) {
    server.now += std::chrono::milliseconds(1);
    status = server.receive(frame(FrameType::ping, 0, 0, "12345678"));
  }
  CHECK_FALSE(status.has_value());
  CHECK(server.out.size() <= kOutputBacklogMax + 64);
  CHECK(pings > 100'000);
}

}  // namespace
}  // namespace aquifer::hbone
