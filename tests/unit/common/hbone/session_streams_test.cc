// Streams: states, windows, what is stalled by whom, releases.
#include "tests/unit/common/hbone/session_harness.h"

#include <doctest/doctest.h>

namespace aquifer::hbone {
namespace {

using namespace test;

constexpr std::uint32_t kWindow = kDefaultWindow;

TEST_CASE("payload is handed out as views of the input, split as it came") {
  Server server;
  REQUIRE(server.receive(connect(1)).has_value());
  CHECK(server.receive(data(1, "hello, ") + data(1, "world", flag::kEndStream)).has_value());
  CHECK(server.at(1).received == "hello, world");
  CHECK(server.at(1).ended);
  CHECK(server.session.undrained() == 12);
  CHECK(server.at(1).stream->undrained() == 12);
}

TEST_CASE(
    "padding of DATA is taken off, counts for the windows, and comes back by itself (RFC 9113 "
    "section 6.1)") {
  Server server;
  REQUIRE(server.receive(connect(1)).has_value());
  server.events.drain_at_once = true;
  const std::string padded = "\xff" + std::string(255, '\0');
  // More padding than the whole window: it has to be credited, or the peer would be stuck.
  for (int i = 0; i < 600; ++i) {
    server.now += std::chrono::milliseconds(20);
    REQUIRE(
        server.receive(data(1, "\xff" + std::string("x") + std::string(255, '\0'), flag::kPadded))
            .has_value());
  }
  CHECK(server.at(1).received == std::string(600, 'x'));
  CHECK(server.receive(data(1, padded, flag::kPadded | flag::kEndStream)).has_value());
  CHECK(server.at(1).ended);
  for (const std::string& payload : {std::string("\x01"), std::string("\x05") + "1234"}) {
    Server other;
    REQUIRE(other.receive(connect(1)).has_value());
    CHECK_FALSE(other.receive(data(1, payload, flag::kPadded)).has_value());
    CHECK(other.session.error_code() == ErrorCode::protocol_error);
  }
  Server other;
  REQUIRE(other.receive(connect(1)).has_value());
  CHECK_FALSE(other.receive(data(1, "", flag::kPadded)).has_value());
  CHECK(other.session.error_code() == ErrorCode::frame_size_error);
}

TEST_CASE("frames of nothing but padding give their window back although nobody drains anything") {
  Server server;
  REQUIRE(server.receive(connect(1)).has_value());
  const std::string padding = "\xff" + std::string(255, '\0');
  // More than a whole window.
  for (int i = 0; i < 300; ++i)
    REQUIRE(server.receive(data(1, padding, flag::kPadded)).has_value());
  CHECK_FALSE(server.at(1).reset);
}

TEST_CASE("frames for streams in the half-closed and closed states (RFC 9113 section 5.1)") {
  struct Row {
    const char* what;
    std::string bytes;           // after CONNECT on 1 with END_STREAM
    bool close_ours;             // end our half first
    ErrorCode stream_error;      // no_error: nothing is sent
    ErrorCode connection_error;  // no_error: it lives
  };
  constexpr ErrorCode kNone = ErrorCode::no_error;
  const std::vector<Row> rows = {
      {"DATA, half-closed", data(1, "x"), false, ErrorCode::stream_closed, kNone},
      {"HEADERS, half-closed", connect(1, flag::kEndStream), false, ErrorCode::stream_closed,
       kNone},
      {"WINDOW_UPDATE, half-closed", window_update(1, 5), false, kNone, kNone},
      {"PRIORITY, half-closed", frame(FrameType::priority, 0, 1, "12345"), false, kNone, kNone},
      {"RST_STREAM, half-closed", rst(1, ErrorCode::cancel), false, kNone, kNone},
      {"DATA, closed", data(1, "x"), true, kNone, ErrorCode::stream_closed},
      {"HEADERS, closed", connect(1, flag::kEndStream), true, kNone, ErrorCode::stream_closed},
      {"WINDOW_UPDATE, closed", window_update(1, 5), true, kNone, kNone},
      {"RST_STREAM, closed", rst(1, ErrorCode::cancel), true, kNone, kNone},
      {"PRIORITY, closed", frame(FrameType::priority, 0, 1, "12345"), true, kNone, kNone},
      {"DATA after RST_STREAM", rst(1, ErrorCode::cancel) + data(1, "x"), false, kNone,
       ErrorCode::stream_closed},
      {"HEADERS after RST_STREAM", rst(1, ErrorCode::cancel) + connect(1), false, kNone,
       ErrorCode::stream_closed},
      {"a new stream below an older one", connect(5) + connect(3), false, kNone,
       ErrorCode::protocol_error},
      {"DATA on a stream that was skipped", connect(5) + data(3, "x"), false, kNone,
       ErrorCode::protocol_error},
      {"WINDOW_UPDATE by 0 on a stream", connect(5) + window_update(5, 0), false,
       ErrorCode::protocol_error, kNone},
      {"WINDOW_UPDATE past 2^31-1", connect(5) + window_update(5, 0x7fffffff), false,
       ErrorCode::flow_control_error, kNone},
      {"PRIORITY of 4 bytes", connect(5) + frame(FrameType::priority, 0, 5, "1234"), false,
       ErrorCode::frame_size_error, kNone},
      {"a stream that depends on itself",
       connect(5) + frame(FrameType::priority, 0, 5, word(5) + "x"), false,
       ErrorCode::protocol_error, kNone},
  };
  for (const bool released : {false, true}) {
    for (const Row& row : rows) {
      CAPTURE(row.what);
      CAPTURE(released);
      Server server;
      REQUIRE(server.receive(connect(1, flag::kEndStream)).has_value());
      Stream* const stream = server.at(1).stream;
      REQUIRE(server.session.respond(*stream, {}).has_value());
      if (row.close_ours) {
        server.session.end(*stream);
        REQUIRE(stream->closed());
        if (released) server.session.release(*stream);
      }
      (void)server.sent();
      const bool lives = server.receive(row.bytes).has_value();
      CHECK(lives == (row.connection_error == kNone));
      CHECK(server.session.error_code() == row.connection_error);
      const auto resets = server.sent(FrameType::rst_stream);
      CHECK(resets.size() == (row.stream_error == kNone ? 0 : 1));
      if (!resets.empty()) CHECK(resets[0].word() == static_cast<std::uint32_t>(row.stream_error));
    }
  }
}

TEST_CASE(
    "frames still under way when we reset a stream are ignored, their bytes still count (section "
    "5.1)") {
  Server server;
  REQUIRE(server.receive(connect(1)).has_value());
  server.session.reset(*server.at(1).stream, ErrorCode::cancel);
  (void)server.sent();
  const std::string payload(16384, 'x');
  std::string under_way;
  for (int i = 0; i < 100; ++i) under_way += data(1, payload);
  for (int i = 0; i < 10; ++i) {
    CHECK(server.receive(under_way.substr(0, 10 * (16384 + 9))).has_value());
  }
  CHECK(server
            .receive(window_update(1, 1) + rst(1, ErrorCode::cancel) +
                     headers(1, {{"x", "y"}}, flag::kEndStream))
            .has_value());
  CHECK(server.at(1).received.empty());
  const auto frames = server.sent();
  // Nothing but credit for the connection.
  for (const Frame& one : frames) {
    CHECK(one.header.type == FrameType::window_update);
    CHECK(one.header.stream_id == 0);
  }
  CHECK_FALSE(frames.empty());
}

TEST_CASE(
    "streams beyond what we allow are refused, a place that becomes free is taken (section "
    "5.1.2)") {
  SessionConfig config = server_with_table();
  config.local.max_concurrent_streams = 2;
  Server server(config);
  CHECK(server.receive(connect(1) + connect(3) + connect(5)).has_value());
  CHECK(server.at(5).stream == nullptr);
  CHECK(is_rst(server.sent(), 5, ErrorCode::refused_stream));
  CHECK(server.receive(rst(1, ErrorCode::cancel) + connect(7)).has_value());
  CHECK(server.at(7).stream != nullptr);
}

TEST_CASE("streams that were reset but not given back by their owner are limited too") {
  SessionConfig config = server_with_table();
  config.local.max_concurrent_streams = 4;
  Server server(config);
  std::uint32_t id = 1;
  for (; id < 2 * 8; id += 2)
    CHECK(server.receive(connect(id) + rst(id, ErrorCode::cancel)).has_value());
  CHECK(server.receive(connect(id)).has_value());
  CHECK(server.at(id).stream == nullptr);
  CHECK(is_rst(server.sent(), id, ErrorCode::refused_stream));
  server.session.release(*server.at(1).stream);
  CHECK(server.receive(connect(id + 2)).has_value());
  CHECK(server.at(id + 2).stream != nullptr);
}

TEST_CASE("a client opens no more than it assumes before SETTINGS, and what they say after") {
  Peer client(SessionConfig::client());
  client.session.start();
  for (int i = 0; i < 100; ++i)
    REQUIRE(client.session.open({.authority = "a:1"}, nullptr).has_value());
  CHECK_FALSE(client.session.can_open());
  CHECK(client.session.open({.authority = "a:1"}, nullptr).error().code == Errc::limit);
  CHECK(client
            .receive(
                frame(FrameType::settings, 0, 0, setting(SettingId::max_concurrent_streams, 101)))
            .has_value());
  CHECK(client.session.open({.authority = "a:1"}, nullptr).has_value());
  CHECK_FALSE(client.session.can_open());
}

TEST_CASE(
    "a stream nobody reads stalls only itself: its window stays shut, the connection's comes "
    "back") {
  Server server;
  REQUIRE(server.receive(connect(1) + connect(3)).has_value());
  const std::string full(16384, 'x');
  for (int i = 0; i < 3; ++i) REQUIRE(server.receive(data(1, full)).has_value());
  REQUIRE(server.receive(data(1, full.substr(1))).has_value());
  CHECK(server.at(1).received.size() == kWindow);
  // Ten connection windows through the neighbour, which is read.
  std::size_t passed = 0;
  for (std::int64_t open = kWindow; passed < (std::size_t{10} << 20); passed += full.size()) {
    REQUIRE(open >= static_cast<std::int64_t>(full.size()));
    REQUIRE(server.receive(data(3, full)).has_value());
    open -= static_cast<std::int64_t>(full.size());
    server.session.drained(*server.at(3).stream, full.size(), server.now);
    for (const Frame& one : server.sent()) {
      REQUIRE(one.header.type == FrameType::window_update);
      CHECK(one.header.stream_id != 1);
      if (one.header.stream_id == 3) open += one.word();
    }
  }
  CHECK(server.session.undrained() == kWindow);
  // One byte more on the stalled stream is its sender's error, and only its.
  REQUIRE(server.receive(data(1, "y")).has_value());
  CHECK(server.at(1).code == ErrorCode::flow_control_error);
  CHECK_FALSE(server.at(3).reset);
  // Its inbox is still its owner's.
  CHECK(server.session.undrained() == kWindow);
  server.session.release(*server.at(1).stream);
  CHECK(server.session.undrained() == 0);
}

TEST_CASE(
    "undrained bytes of a session are bounded, and the fullest inbox is known when they are too "
    "many") {
  Server server;
  // A peer that uses all the credit it gets, on streams that were fast once and then stall.
  const std::string payload(kWindow / 2, 'x');
  const auto size = static_cast<std::int64_t>(payload.size());
  std::int64_t connection_open = 1 << 20;
  for (std::uint32_t id = 1; connection_open >= size; id += 2) {
    REQUIRE(server.receive(connect(id)).has_value());
    Stream& stream = *server.at(id).stream;
    std::int64_t open = kWindow;
    while (open >= size && connection_open >= size) {
      REQUIRE(server.receive(data(id, payload)).has_value());
      server.at(id).received.clear();
      if (stream.receive_target() < (1 << 20))
        server.session.drained(stream, payload.size(), server.now);
      open -= size;
      connection_open -= size;
      for (const Frame& one : server.sent()) {
        if (one.header.type == FrameType::window_update)
          (one.header.stream_id == 0 ? connection_open : open) += one.word();
      }
      CHECK(server.session.undrained() + static_cast<std::size_t>(connection_open) <= (16U << 20));
    }
    if (connection_open >= size) CHECK(stream.undrained() > (1 << 19));
  }
  CHECK(server.session.under_pressure());
  CHECK(server.session.undrained() > (15U << 20));
  Stream* const largest = server.session.largest_undrained();
  REQUIRE(largest != nullptr);
  (void)server.sent();
  server.session.reset(*largest, ErrorCode::enhance_your_calm);
  server.session.release(*largest);
  CHECK_FALSE(server.session.under_pressure());
  // The neighbours go on.
  CHECK(server.sent(FrameType::window_update).size() == 1);
}

TEST_CASE("200 stalled streams of the first window are no pressure: nobody is punished for them") {
  Server server;
  const std::string full(kWindow, 'x');
  for (std::uint32_t i = 0; i < 200; ++i) {
    REQUIRE(server.receive(connect(2 * i + 1)).has_value());
    REQUIRE(server.receive(data(2 * i + 1, full)).has_value());
  }
  CHECK(server.session.undrained() == 200 * kWindow);
  CHECK_FALSE(server.session.under_pressure());
}

TEST_CASE(
    "a stream's window grows to 4 MiB while it is drained, and the connection's to 16 MiB with "
    "it") {
  Server server;
  REQUIRE(server.receive(connect(1)).has_value());
  server.events.drain_at_once = true;
  const std::string payload(30'000, 'x');
  std::int64_t open = kWindow;
  std::int64_t connection_open = 1 << 20;
  for (int i = 0; i < 2000; ++i) {
    REQUIRE(server.receive(data(1, payload)).has_value());
    server.at(1).received.clear();
    open -= static_cast<std::int64_t>(payload.size());
    connection_open -= static_cast<std::int64_t>(payload.size());
    for (const Frame& one : server.sent()) {
      (one.header.stream_id == 0 ? connection_open : open) += one.word();
    }
    REQUIRE(open > 0);
  }
  CHECK(server.at(1).stream->receive_target() == (4 << 20));
  CHECK(open <= (4 << 20));
  CHECK(open > (2 << 20));
  CHECK(connection_open > (8 << 20));
  CHECK(connection_open <= (16 << 20));
}

TEST_CASE(
    "our acknowledged SETTINGS move open streams' windows; until then the default holds (section "
    "6.9.2)") {
  SessionConfig config = server_with_table();
  config.local.initial_window_size = 10;
  Peer server(config);
  server.session.start();
  REQUIRE(
      server.receive(std::string(kClientPreface) + frame(FrameType::settings, 0, 0) + connect(1))
          .has_value());
  REQUIRE(server.receive(data(1, std::string(100, 'x')) + frame(FrameType::settings, flag::kAck, 0))
              .has_value());
  REQUIRE(server.receive(connect(3) + data(3, "0123456789")).has_value());
  CHECK_FALSE(server.at(3).reset);
  REQUIRE(server.receive(data(3, "x")).has_value());
  CHECK(server.at(3).code == ErrorCode::flow_control_error);
  REQUIRE(server.receive(data(1, "x")).has_value());
  CHECK(server.at(1).code == ErrorCode::flow_control_error);
}

TEST_CASE("who has much to send leaves a part of the connection's window to who has little") {
  Server server;
  REQUIRE(server.receive(connect(1) + connect(3)).has_value());
  Stream& bulk = *server.at(1).stream;
  Stream& little = *server.at(3).stream;
  REQUIRE(server.session.respond(bulk, {}).has_value());
  REQUIRE(server.session.respond(little, {}).has_value());
  constexpr std::size_t kKept = kWindow / 16;
  const std::string payload(kWindow - kKept, 'x');
  CHECK(server.session.write_data(bulk, as_bytes(payload), EndStream::no) == payload.size());
  CHECK(server.session.send_window_of_bulk(bulk) == 0);
  CHECK(server.session.send_window(little) == kKept);
  // Bulk is told when its own part opens, and not only when there was nothing at all.
  REQUIRE(server.receive(window_update(0, 100) + window_update(1, 1000)).has_value());
  CHECK(server.events.connection_window_events == 1);
  CHECK(server.session.send_window_of_bulk(bulk) == 100);
  REQUIRE(server.receive(window_update(0, 100)).has_value());
  CHECK(server.events.connection_window_events == 1);
}

TEST_CASE("however large the window, no more than 64 KiB of it are kept from bulk") {
  Server server;
  REQUIRE(server.receive(connect(1) + window_update(0, 16 << 20) + window_update(1, 16 << 20))
              .has_value());
  Stream& bulk = *server.at(1).stream;
  REQUIRE(server.session.respond(bulk, {}).has_value());
  const std::string payload((16 << 20) + kWindow - 64 * 1024 - 100, 'x');
  CHECK(server.session.write_data(bulk, as_bytes(payload), EndStream::no) == payload.size());
  CHECK(server.session.send_window_of_bulk(bulk) == 100);
}

TEST_CASE("what may be sent is the least of both windows and the peer's frame size (section 6.9)") {
  Server server;
  REQUIRE(server.receive(connect(1) + connect(3)).has_value());
  Stream& one = *server.at(1).stream;
  Stream& three = *server.at(3).stream;
  REQUIRE(server.session.respond(one, {}).has_value());
  REQUIRE(server.session.respond(three, {}).has_value());
  CHECK(server.session.send_window(one) == 16384);
  (void)server.sent();
  const std::string payload(100'000, 'x');
  CHECK(server.session.write_data(one, as_bytes(payload), EndStream::yes) == kWindow);
  const auto frames = server.sent();
  REQUIRE(frames.size() == 4);
  CHECK(frames[3].payload.size() == 16383);
  // Not all of it went, so it is not the end.
  for (const Frame& frame : frames) CHECK(frame.header.flags == 0);
  CHECK_FALSE(one.local_ended());
  CHECK(server.session.send_window(three) == 0);
  REQUIRE(server.receive(window_update(0, 100)).has_value());
  CHECK(server.events.connection_window_events == 1);
  CHECK(server.session.send_window(three) == 100);
  CHECK(server.session.send_window(one) == 0);
  REQUIRE(server.receive(window_update(1, 30) + window_update(1, 30)).has_value());
  CHECK(server.at(1).window_events == 1);
  CHECK(server.session.send_window(one) == 60);
}

TEST_CASE("a DATA header is written in front of the payload, in one piece") {
  Server server;
  REQUIRE(server.receive(connect(1)).has_value());
  Stream& stream = *server.at(1).stream;
  REQUIRE(server.session.respond(stream, {}).has_value());
  (void)server.sent();
  io::Buffer buffer = io::Buffer::copy_of(as_bytes("payload"));
  const std::uint8_t* const payload = buffer.data();
  REQUIRE(server.session.write_data_header(stream, buffer, EndStream::yes).has_value());
  CHECK(buffer.data() == payload - kFrameHeaderBytes);
  CHECK(as_text(buffer.view()) == data(1, "payload", flag::kEndStream));
  CHECK(stream.local_ended());
  io::Buffer more = io::Buffer::copy_of(as_bytes("x"));
  CHECK(server.session.write_data_header(stream, more, EndStream::no).error().code == Errc::closed);
  CHECK(server.session.send_window(stream) == 0);
  REQUIRE(server.receive(rst(1, ErrorCode::cancel)).has_value());
  CHECK(server.session.write_data_header(stream, more, EndStream::no).error().code ==
        Errc::connection_reset);
}

TEST_CASE("an empty write with END_STREAM is the end, and the end is said once") {
  Client client;
  Stream& stream = **client.session.open({.authority = "a:1"}, nullptr);
  (void)client.sent();
  CHECK(client.session.write_data(stream, {}, EndStream::yes) == 0);
  client.session.end(stream);
  const auto frames = client.sent();
  REQUIRE(frames.size() == 1);
  CHECK(
      frames[0].header ==
      FrameHeader{.length = 0, .type = FrameType::data, .flags = flag::kEndStream, .stream_id = 1});
}

TEST_CASE(
    "releasing an open stream resets it: CANCEL, or NO_ERROR behind a complete answer (section "
    "8.1)") {
  Server server;
  REQUIRE(server.receive(connect(1) + connect(3) + connect(5, flag::kEndStream)).has_value());
  server.session.release(*server.at(1).stream);
  CHECK(is_rst(server.sent(), 1, ErrorCode::cancel));
  REQUIRE(server.session.refuse(*server.at(3).stream, 503).has_value());
  server.session.release(*server.at(3).stream);
  CHECK(is_rst(server.sent(), 3, ErrorCode::no_error));
  REQUIRE(server.session.refuse(*server.at(5).stream, 401).has_value());
  server.session.release(*server.at(5).stream);
  CHECK(server.sent(FrameType::rst_stream).empty());
  CHECK(server.session.open_streams() == 0);
}

TEST_CASE("an answer for a stream that was reset meanwhile is refused") {
  Server server;
  REQUIRE(server.receive(connect(1) + rst(1, ErrorCode::cancel)).has_value());
  CHECK(server.at(1).code == ErrorCode::cancel);
  CHECK(server.session.respond(*server.at(1).stream, {}).error().code == Errc::connection_reset);
  CHECK(server.session.refuse(*server.at(1).stream, 503).error().code == Errc::connection_reset);
  CHECK(server.sent().empty());
  server.session.release(*server.at(1).stream);
  CHECK(server.sent().empty());
}

TEST_CASE("5,000 applications a second that give up before they are answered are honest") {
  Server server;
  std::uint32_t id = 1;
  for (int millisecond = 0; millisecond < 20'000; ++millisecond) {
    server.now += std::chrono::milliseconds(1);
    std::string bytes;
    std::vector<std::uint32_t> opened;
    for (int i = 0; i < 5; ++i, id += 2) {
      bytes += connect(id) + rst(id, ErrorCode::cancel);
      opened.push_back(id);
    }
    REQUIRE(server.receive(bytes).has_value());
    for (const std::uint32_t each : opened) server.session.release(*server.at(each).stream);
    server.events.streams.clear();
    (void)server.sent();
  }
  CHECK(id == 200'001);
}

TEST_CASE("a rapid reset ends the connection, by RST_STREAM or by rules broken on purpose") {
  const auto flood = [](auto&& one) {
    Server server;
    std::uint32_t id = 1;
    Status status;
    for (; status && id < 100'000; id += 2) {
      if (id % 200 == 1) server.now += std::chrono::milliseconds(1);
      status = server.receive(connect(id) + one(id));
      if (auto* stream = server.at(id).stream; status && stream != nullptr)
        server.session.release(*stream);
      server.events.streams.clear();
      (void)server.sent();
    }
    CHECK_FALSE(status.has_value());
    CHECK(server.session.error_code() == ErrorCode::enhance_your_calm);
    CHECK(id > 20'000);
  };
  flood([](std::uint32_t id) { return rst(id, ErrorCode::cancel); });
  flood([](std::uint32_t id) { return window_update(id, 0); });
}

TEST_CASE("an owner may reset, release and drain from inside an event") {
  struct Owner final : SessionEvents {
    Session* session = nullptr;
    std::string log;
    void on_request(Stream& stream, ConnectRequest&&) override {
      if (stream.id() == 3) session->release(stream);
    }
    void on_response(Stream&, ConnectResponse&&) override {}
    std::size_t on_data(Stream& stream, ByteView payload) override {
      log += "data ";
      session->drained(stream, payload.size(), {});
      if (stream.id() == 5) session->release(stream);
      if (stream.id() == 7) session->reset(stream, ErrorCode::cancel);
      return 0;
    }
    void on_end_stream(Stream& stream) override {
      log += "end ";
      session->release(stream);
    }
    void on_reset(Stream& stream, ErrorCode) override {
      log += "reset ";
      session->release(stream);
    }
    void on_window(Stream&) override {}
    void on_connection_window() override {}
    void on_goaway(std::uint32_t, ErrorCode) override {}
    void on_ping_ack(std::uint64_t) override {}
  };
  const SessionConfig config = server_with_table();
  io::ChunkQueue out;
  Owner owner;
  Session session(config, out, owner);
  owner.session = &session;
  session.start();
  const auto receive = [&](const std::string& bytes) {
    return session.receive(as_bytes(bytes), {}).has_value();
  };
  REQUIRE(receive(std::string(kClientPreface) + frame(FrameType::settings, 0, 0)));
  CHECK(receive(connect(1) + data(1, "x", flag::kEndStream) + data(1, "y")));
  CHECK(owner.log == "data end ");
  owner.log.clear();
  CHECK(receive(connect(3) + data(3, "x", flag::kEndStream) + window_update(3, 1)));
  CHECK(owner.log.empty());
  CHECK(receive(connect(5) + data(5, "x") + data(5, "y", flag::kEndStream)));
  CHECK(owner.log == "data ");
  owner.log.clear();
  CHECK(receive(connect(7) + data(7, "x", flag::kEndStream)));
  CHECK(owner.log == "data ");
  owner.log.clear();
  CHECK(receive(connect(9) + rst(9, ErrorCode::cancel)));
  CHECK(owner.log == "reset ");
  CHECK(session.undrained() == 0);
  CHECK(session.open_streams() == 0);
  int left = 0;
  session.for_each_stream([&](Stream&) { ++left; });
  CHECK(left == 1);  // 7 was reset, not released
}

}  // namespace
}  // namespace aquifer::hbone
