// Whole exchanges between a client and a server of ours.
#include "common/http2/client_connection.h"
#include "common/http2/server_connection.h"
#include "tests/unit/common/http2/http2_fixture.h"

namespace aquifer::http2::testing {
namespace {

coro::Task<void> get_with_body(std::unique_ptr<http::ServerStream> stream) {
  const http::RequestHead& head = stream->request();
  CHECK(head.method == "GET");
  CHECK(head.scheme == "http");
  CHECK(head.authority == "server.test");
  CHECK(head.path == "/a?b=c");
  CHECK(head.version == http::Version::http_2);
  CHECK(head.fields == HeaderFields{{"accept", "*/*"}, {"x-two", "1"}, {"x-two", "2"}});
  CHECK(stream->ended());
  http::ResponseHead response = answer();
  response.content_length = 5;
  response.fields.add("Content-Type", "text/plain");
  REQUIRE(stream->respond(response, http::End::no));
  REQUIRE(stream->write(io::Buffer::copy_of(as_bytes("hello"))));
  REQUIRE(stream->finish({}));
  co_return;
}

coro::Task<void> gets(io::Loop& loop) {
  Link link;
  link.start(loop, get_with_body);
  {
    http::RequestHead head = get("/a?b=c");
    head.fields = {{"Accept", "*/*"}, {"x-two", "1"}, {"X-Two", "2"}};
    auto stream = link.client->open(head, http::End::yes);
    REQUIRE(stream.has_value());
    auto response = co_await (*stream)->response(nullptr);
    REQUIRE(response.has_value());
    CHECK(response->status == 200);
    CHECK(response->content_length == 5U);
    CHECK(response->fields == HeaderFields{{"content-type", "text/plain"}});
    const auto body = co_await read_all(**stream);
    REQUIRE(body.has_value());
    CHECK(*body == "hello");
    CHECK((*stream)->ended());
    CHECK((*stream)->trailers().empty());
  }
  CHECK(link.client->streams() == 0);
  co_await link.finish();
}

TEST_CASE("a GET is told with its fields in lower case, and answered with a body of known length") {
  run(gets);
}

coro::Task<void> echoes(io::Loop& loop, std::size_t size) {
  Link link;
  link.start(loop, echo);
  {
    auto opened = link.client->open(post(), http::End::no);
    REQUIRE(opened.has_value());
    http::ClientStream& stream = **opened;
    std::string sent(size, 'x');
    for (std::size_t i = 0; i < size; ++i)
      sent[i] = static_cast<char>('a' + i * 7 % 26 + i / 7919 % 3);
    coro::Scope scope;
    struct Send {
      static coro::Task<void> all(http::ClientStream& to, std::string text) {
        const Status written = co_await write_all(to, std::move(text));
        REQUIRE(written.has_value());
        REQUIRE(to.finish({{"checksum", "42"}, {"content-length", "9"}}));
      }
    };
    scope.spawn(Send::all(stream, sent));
    auto response = co_await stream.response(nullptr);
    REQUIRE(response.has_value());
    const auto body = co_await read_all(stream);
    REQUIRE(body.has_value());
    CHECK(*body == sent);
    CHECK(stream.trailers() == HeaderFields{{"checksum", "42"}});
    co_await scope.join();
  }
  co_await link.finish();
}

TEST_CASE("bodies of any size and trailers go both ways at once") {
  for (const std::size_t size : {0U, 1U, 2047U, 2049U, 16384U, 70'000U, 3'000'000U})
    run(echoes, size);
}

}  // namespace
}  // namespace aquifer::http2::testing
