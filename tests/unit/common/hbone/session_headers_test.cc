// Header blocks on the wire: requests, answers, trailers, CONTINUATION.
#include "tests/unit/common/hbone/session_harness.h"

#include <doctest/doctest.h>

namespace aquifer::hbone {
namespace {

using namespace test;

const std::vector<HeaderField> kGet = {
    {":method", "GET"}, {":scheme", "https"}, {":path", "/"}, {":authority", "a"}};

TEST_CASE(
    "a CONNECT arrives with its fields, and is answered with 200 and baggage without END_STREAM") {
  Server server;
  auto fields = kConnectFields;
  fields.push_back({"baggage", "service.name=client"});
  CHECK(server.receive(headers(1, fields)).has_value());
  REQUIRE(server.at(1).stream != nullptr);
  CHECK(server.at(1).request.authority == "10.0.0.1:80");
  CHECK(server.at(1).request.baggage == "service.name=client");
  CHECK(server.session
            .respond(*server.at(1).stream, {.status = 200, .baggage = "service.name=server"})
            .has_value());
  const auto frames = server.sent();
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].header.flags == flag::kEndHeaders);
  HeaderDecoder decoder(0);
  HeaderValidator head(HeaderValidator::Kind::response);
  REQUIRE(decoder.decode(as_bytes(frames[0].payload), 65536, head) == HeaderDecoder::Outcome::ok);
  REQUIRE(head.finish() == Verdict::ok);
  CHECK(head.response() == ConnectResponse{.status = 200, .baggage = "service.name=server"});
}

TEST_CASE(
    "our first block says that our table has size 0, later ones only after the peer changed it "
    "(RFC 7541 4.2)") {
  Client client;
  const auto first_byte = [&] {
    CHECK(client.session.open({.authority = "a:1"}, nullptr).has_value());
    return static_cast<unsigned char>(client.sent(FrameType::headers).at(0).payload.at(0));
  };
  CHECK(first_byte() == 0x20);
  CHECK(first_byte() != 0x20);
  CHECK(client.receive(frame(FrameType::settings, 0, 0, setting(SettingId::header_table_size, 100)))
            .has_value());
  CHECK(first_byte() == 0x20);
  CHECK(first_byte() != 0x20);
}

TEST_CASE(
    "a valid request that is no CONNECT is answered 400 with END_STREAM, and its payload is thrown "
    "away") {
  Server server;
  CHECK(server.receive(headers(1, kGet, flag::kEndStream)).has_value());
  auto frames = server.sent();
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].header.flags == (flag::kEndHeaders | flag::kEndStream));
  CHECK(server.events.streams.empty());
  CHECK(server.session.open_streams() == 0);

  CHECK(server.receive(headers(3, kGet)).has_value());
  CHECK(server.session.open_streams() == 1);
  const std::string payload(16384, 'x');
  for (int i = 0; i < 100; ++i) CHECK(server.receive(data(3, payload)).has_value());
  CHECK(server.receive(data(3, "", flag::kEndStream)).has_value());
  CHECK(server.session.open_streams() == 0);
  CHECK(server.session.undrained() == 0);
}

TEST_CASE(
    "a request with another length of payload than it declared is malformed (RFC 9113 section "
    "8.1.1)") {
  auto fields = kGet;
  fields.push_back({"content-length", "2"});
  for (const std::string& body : {data(1, "abc", flag::kEndStream), data(1, "a", flag::kEndStream),
                                  data(1, "a") + data(1, "", flag::kEndStream)}) {
    Server server;
    CHECK(server.receive(headers(1, fields) + body).has_value());
    CHECK(is_rst(server.sent(), 1, ErrorCode::protocol_error));
  }
  Server server;
  CHECK(server.receive(headers(1, fields) + data(1, "ab", flag::kEndStream)).has_value());
  CHECK(server.sent(FrameType::rst_stream).empty());
}

TEST_CASE("malformed requests are stream errors, and the connection lives on (section 8.1.1)") {
  const std::vector<std::vector<HeaderField>> lists = {
      {{":method", "CONNECT"}, {":authority", "a:1"}, {":path", "/"}},
      {{":method", "CONNECT"}},
      {{":method", "CONNECT"}, {":authority", "a:1"}, {"Upper", "1"}},
      {{":method", "CONNECT"}, {":authority", "a:1"}, {"connection", "close"}},
  };
  for (const auto& fields : lists) {
    Server server;
    CHECK(server.receive(headers(1, fields)).has_value());
    CHECK(server.at(1).stream == nullptr);
    CHECK(is_rst(server.sent(), 1, ErrorCode::protocol_error));
    CHECK(server.receive(connect(3)).has_value());
    CHECK(server.at(3).stream != nullptr);
  }
}

TEST_CASE(
    "a header list beyond the limit is answered 431, one whose block is beyond it ends the "
    "connection") {
  Server server;
  // 0x20 marks: names of one byte cost 33 in the list, 3 in the block.
  std::vector<HeaderField> fields = kConnectFields;
  for (int i = 0; i < 100; ++i) fields.push_back({"a", "b"});
  for (int i = 0; i < 100; ++i) fields.push_back({"c", "d"});
  CHECK(server.receive(headers(1, fields, flag::kEndStream)).has_value());
  CHECK(server.at(1).stream == nullptr);
  const auto frames = server.sent(FrameType::headers);
  REQUIRE(frames.size() == 1);
  HeaderDecoder decoder(0);
  HeaderValidator head(HeaderValidator::Kind::response);
  REQUIRE(decoder.decode(as_bytes(frames[0].payload), 65536, head) == HeaderDecoder::Outcome::ok);
  CHECK(head.finish() == Verdict::ok);
  CHECK(head.response().status == 431);

  const std::string value(70'000, 'x');
  fields = kConnectFields;
  fields.push_back({"a", value});
  CHECK_FALSE(server.receive(headers(3, fields)).has_value());
  CHECK(server.session.error_code() == ErrorCode::enhance_your_calm);
}

TEST_CASE(
    "a block in pieces is one block; between them nothing else may come (sections 4.3 and 6.10)") {
  const std::string whole = block(kConnectFields);
  const auto piece = [&](FrameType type, std::size_t at, std::size_t size, std::uint8_t flags) {
    return frame(type, flags, 1, whole.substr(at, size));
  };
  const std::string head = piece(FrameType::headers, 0, 5, flag::kEndStream);
  Server server;
  CHECK(server
            .receive(head + piece(FrameType::continuation, 5, 0, 0) +
                     piece(FrameType::continuation, 5, 7, 0))
            .has_value());
  CHECK(server.at(1).stream == nullptr);
  CHECK(server.receive(piece(FrameType::continuation, 12, 1000, flag::kEndHeaders)).has_value());
  REQUIRE(server.at(1).stream != nullptr);
  CHECK(server.at(1).request.authority == "10.0.0.1:80");
  // END_STREAM stands on HEADERS and counts for the block.
  CHECK(server.at(1).ended);

  for (const std::string& between :
       {frame(FrameType::ping, 0, 0, "12345678"), data(1, "x"), connect(3),
        frame(FrameType::continuation, flag::kEndHeaders, 3, "x"),
        frame(static_cast<FrameType>(0x44), 0, 0)}) {
    Server other;
    CHECK_FALSE(other.receive(head + between).has_value());
    CHECK(other.session.error_code() == ErrorCode::protocol_error);
  }
}

TEST_CASE("a block of endless CONTINUATION frames ends the connection, empty ones too") {
  for (const std::string& more : {std::string(), std::string(16000, 'x')}) {
    Server server;
    std::string flood = frame(FrameType::headers, 0, 1, "");
    for (int i = 0; i < 17; ++i) flood += frame(FrameType::continuation, 0, 1, more);
    CHECK_FALSE(server.receive(flood).has_value());
    CHECK(server.session.error_code() == ErrorCode::enhance_your_calm);
  }
}

TEST_CASE("padding and priority of HEADERS are taken off; broken ones are errors (section 6.2)") {
  const std::string whole = block(kConnectFields);
  const auto padded = [&](std::uint8_t flags, const std::string& payload) {
    return frame(FrameType::headers, flag::kEndHeaders | flags, 1, payload);
  };
  Server server;
  CHECK(server
            .receive(padded(flag::kPadded | flag::kPriority,
                            "\x03" + word(0) + "\x10" + whole + std::string(3, '\0')))
            .has_value());
  CHECK(server.at(1).request.authority == "10.0.0.1:80");

  struct Row {
    std::string bytes;
    ErrorCode error;
  };
  for (const Row& row :
       {Row{padded(flag::kPadded, ""), ErrorCode::frame_size_error},
        Row{padded(flag::kPadded, "\xff" + whole), ErrorCode::protocol_error},
        Row{padded(flag::kPriority, "1234"), ErrorCode::frame_size_error},
        Row{padded(flag::kPadded | flag::kPriority, "\x01" + word(0) + "\x10"),
            ErrorCode::protocol_error},
        Row{padded(0, "\xff\xff\xff\xff\xff\xff"), ErrorCode::compression_error}}) {
    Server other;
    CHECK_FALSE(other.receive(row.bytes).has_value());
    CHECK(other.session.error_code() == row.error);
  }
  // RFC 7540 section 5.3.1.
  Server self;
  CHECK(self.receive(padded(flag::kPriority, word(1) + "\x10" + whole)).has_value());
  CHECK(is_rst(self.sent(), 1, ErrorCode::protocol_error));
}

TEST_CASE("trailers end the stream; a second list that does not is malformed (section 8.1)") {
  Server server;
  CHECK(server.receive(connect(1) + headers(1, {{"x", "1"}}, flag::kEndStream)).has_value());
  CHECK(server.at(1).ended);
  CHECK_FALSE(server.at(1).reset);
  CHECK(server.receive(connect(3) + headers(3, {{"x", "1"}})).has_value());
  CHECK(server.at(3).code == ErrorCode::protocol_error);
  CHECK(server.receive(connect(5) + headers(5, {{":path", "/"}}, flag::kEndStream)).has_value());
  CHECK(server.at(5).code == ErrorCode::protocol_error);
}

TEST_CASE(
    "informational answers are passed over, the final one is given, an error without END_STREAM "
    "too") {
  Client client;
  Stream* const stream = *client.session.open({.authority = "a:1"}, nullptr);
  CHECK(client.receive(headers(1, {{":status", "103"}}) + headers(1, {{":status", "100"}}))
            .has_value());
  CHECK_FALSE(stream->answered());
  CHECK(
      client.receive(headers(1, {{":status", "200"}, {"baggage", "service.name=s"}})).has_value());
  CHECK(stream->answered());
  CHECK(client.at(1).response == ConnectResponse{.status = 200, .baggage = "service.name=s"});

  CHECK(client.session.open({.authority = "a:1"}, nullptr).has_value());
  CHECK(client.receive(headers(3, {{":status", "401"}}, flag::kEndStream)).has_value());
  CHECK(client.at(3).status == 401);
  CHECK(client.at(3).ended);

  for (const std::string& bytes : {headers(5, {{":status", "103"}}, flag::kEndStream),
                                   headers(5, {{":status", "x"}}), data(5, "before the head")}) {
    Client other;
    for (int i = 0; i < 3; ++i)
      CHECK(other.session.open({.authority = "a:1"}, nullptr).has_value());
    CHECK(other.receive(bytes).has_value());
    CHECK(other.at(5).code == ErrorCode::protocol_error);
    CHECK(is_rst(other.sent(), 5, ErrorCode::protocol_error));
  }
}

TEST_CASE("a head larger than the peer takes is not sent") {
  Client client;
  CHECK(
      client
          .receive(frame(FrameType::settings, 0, 0, setting(SettingId::max_header_list_size, 100)))
          .has_value());
  (void)client.sent();
  const auto refused =
      client.session.open({.authority = "a:1", .baggage = std::string(100, 'x')}, nullptr);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Errc::limit);
  CHECK(client.sent().empty());
  CHECK(client.session.open({.authority = "a:1"}, nullptr).has_value());
  Client plain;
  CHECK_FALSE(plain.session.open({.authority = "a:1", .baggage = std::string(20'000, 'x')}, nullptr)
                  .has_value());
}

}  // namespace
}  // namespace aquifer::hbone
