// A session written down and taken up again: nothing on the wire may show it.
#include "tests/unit/common/hbone/session_harness.h"

#include <doctest/doctest.h>

namespace aquifer::hbone {
namespace {

using namespace test;

/// Writes `from` down and goes on in a new session; its recorder is `to`'s own, with the streams
/// found again.
SessionState move_over(const Session& from) {
  auto state = from.export_state();
  REQUIRE(state.has_value());
  return *state;
}

struct Successor {
  Successor(const SessionConfig& config, const SessionState& state)
      : session(config, out, events, state) {
    session.for_each_stream(
        [this](Stream& stream) { events.streams[stream.id()].stream = &stream; });
  }
  Status receive(std::string_view bytes) { return session.receive(as_bytes(bytes), {}); }

  io::ChunkQueue out;
  Recorder events;
  Session session;
};

/// A server with streams in every state, some of them with bytes in their inbox.
struct Busy : Server {
  Busy() {
    const std::vector<HeaderField> get = {{":method", "GET"}, {":scheme", "https"}, {":path", "/"}};
    REQUIRE(receive(frame(FrameType::settings, flag::kAck, 0) + frame(FrameType::settings, 0, 0))
                .has_value());
    const std::string first(1, '\x20');
    REQUIRE(receive(frame(FrameType::headers, flag::kEndHeaders, 1, first + block(kConnectFields)))
                .has_value());
    REQUIRE(receive(connect(3, flag::kEndStream) + connect(5) + headers(7, get) + connect(9))
                .has_value());
    REQUIRE(
        receive(data(1, "inbox") + rst(9, ErrorCode::cancel) + window_update(0, 1000)).has_value());
    REQUIRE(session.respond(*at(1).stream, {}).has_value());
    REQUIRE(session.respond(*at(5).stream, {}).has_value());
    CHECK(session.write_data(*at(1).stream, as_bytes("sent"), EndStream::no) == 4);
    session.end(*at(5).stream);
    (void)sent();
  }
};

TEST_CASE("a state goes out, in and out again unchanged") {
  Busy server;
  const SessionState state = move_over(server.session);
  CHECK(state.streams.size() == 5);
  Successor successor(SessionConfig::server(), state);
  CHECK(move_over(successor.session) == state);
  CHECK(successor.session.open_streams() == server.session.open_streams());
  CHECK(successor.session.undrained() == 5);
}

TEST_CASE("the successor answers as the predecessor would have") {
  const std::string rest = data(1, " more", flag::kEndStream) + data(5, "five") +
                           data(7, "gone", flag::kEndStream) + window_update(9, 1) +
                           data(3, "closed half") + connect(11) + connect(13, flag::kEndStream) +
                           window_update(1, 77) + frame(FrameType::ping, 0, 0, "12345678");
  Busy left;
  Busy right;
  Successor successor(SessionConfig::server(), move_over(right.session));
  CHECK(left.receive(rest).has_value());
  CHECK(successor.receive(rest).has_value());
  CHECK(successor.events.streams[1].received == " more");
  CHECK(successor.events.streams[5].received == "five");
  CHECK(successor.events.streams[11].request.authority == "10.0.0.1:80");
  const auto expected = left.sent();
  const auto actual = take_frames(successor.out);
  REQUIRE(actual.size() == expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    CHECK(actual[i].header == expected[i].header);
    CHECK(actual[i].payload == expected[i].payload);
  }
  CHECK(move_over(successor.session) == move_over(left.session));
}

TEST_CASE("a session may change hands after every byte, in the middle of any frame") {
  const std::string block_text = block(kConnectFields);
  const std::string wire =
      std::string(kClientPreface) +
      frame(FrameType::settings, 0, 0, setting(SettingId::max_frame_size, 20000)) +
      frame(FrameType::settings, flag::kAck, 0) +
      frame(FrameType::headers, 0, 1, "\x20" + block_text.substr(0, 9)) +
      frame(FrameType::continuation, flag::kEndHeaders, 1, block_text.substr(9)) +
      data(1, std::string("\x03") + "abcdef" + std::string(3, '\0'), flag::kPadded) +
      frame(FrameType::goaway, 0, 0, word(0) + word(0) + "debug") +
      frame(static_cast<FrameType>(0x99), 0, 0, "unknown") + data(1, "ghi", flag::kEndStream);
  const SessionConfig& config = SessionConfig::server();
  io::ChunkQueue out;
  Recorder events;
  auto session = std::make_unique<Session>(config, out, events);
  session->start();
  for (const char byte : wire) {
    REQUIRE(session->receive(as_bytes(std::string_view(&byte, 1)), {}).has_value());
    const SessionState state = move_over(*session);
    auto next = std::make_unique<Session>(config, out, events, state);
    CHECK(move_over(*next) == state);
    session = std::move(next);
  }
  CHECK(events.streams[1].received == "abcdefghi");
  CHECK(events.streams[1].ended);
  CHECK(events.goaways.size() == 1);
  CHECK(session->peer_settings().max_frame_size == 20000);
}

TEST_CASE("a flood of CONTINUATION frames is not forgiven by a hand-over") {
  Server server;
  const std::string one = frame(FrameType::continuation, 0, 1);
  REQUIRE(server.receive(frame(FrameType::headers, 0, 1)).has_value());
  for (std::uint32_t i = 0; i < kContinuationsMax; ++i) REQUIRE(server.receive(one).has_value());
  Successor successor(SessionConfig::server(), move_over(server.session));
  CHECK_FALSE(successor.receive(one).has_value());
  CHECK(successor.session.error_code() == ErrorCode::enhance_your_calm);
}

TEST_CASE("a client's successor opens the next stream and does not use an old id again") {
  Client client;
  REQUIRE(client.session.open({.authority = "a:1"}, nullptr).has_value());
  Successor successor(SessionConfig::client(), move_over(client.session));
  CHECK((*successor.session.open({.authority = "a:1"}, nullptr))->id() == 3);
  CHECK(successor.receive(headers(1, {{":status", "200"}})).has_value());
  CHECK(successor.events.streams[1].status == 200);
}

TEST_CASE(
    "while the peer's header compression has state, and after the end, there is nothing to pass "
    "on") {
  Server server;
  // Literal with incremental indexing: the peer put ":method: CONNECT" into its table.
  std::string indexed = block(kConnectFields);
  indexed[0] = '\x40';
  REQUIRE(server.receive(frame(FrameType::headers, flag::kEndHeaders, 1, indexed)).has_value());
  REQUIRE(server.at(1).stream != nullptr);
  CHECK(server.session.export_state().error().code == Errc::limit);
  // The acknowledgement empties it.
  REQUIRE(server.receive(frame(FrameType::settings, flag::kAck, 0)).has_value());
  CHECK(server.session.export_state().has_value());
  CHECK_FALSE(server.receive(data(0, "x")).has_value());
  CHECK(server.session.export_state().error().code == Errc::closed);
}

TEST_CASE("a hundred streams are written down in less than 8 KiB") {
  Client client;
  for (int i = 0; i < 100; ++i)
    REQUIRE(client.session.open({.authority = "a:1"}, nullptr).has_value());
  const SessionState state = move_over(client.session);
  const std::size_t size = sizeof(SessionState) + state.streams.size() * sizeof(StreamState);
  CHECK(size <= 8192);
  CHECK(state.parser.pending.empty());
}

}  // namespace
}  // namespace aquifer::hbone
