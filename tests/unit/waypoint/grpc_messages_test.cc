#include "waypoint/grpc_messages.h"

#include <doctest/doctest.h>

#include <string>

using namespace aquifer;
using namespace aquifer::waypoint;

namespace {

std::string message(std::size_t bytes) {
  std::string out(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(bytes >> shift & 0xff));
  // Zeros would look like prefixes to a counter that lost its place.
  return out.append(bytes, '\0');
}

}  // namespace

TEST_CASE("the messages of a body are counted, also empty ones") {
  GrpcMessages messages;
  messages.see(as_bytes(message(3) + message(0) + message(300) + message(0)));
  CHECK(messages.count() == 4);
}

TEST_CASE("it does not matter where a body is cut") {
  const std::string body = message(5) + message(0) + message(70'000) + message(1);
  for (const std::size_t piece : {1U, 2U, 3U, 7U, 16'384U, 65'535U}) {
    CAPTURE(piece);
    GrpcMessages messages;
    for (std::size_t at = 0; at < body.size(); at += piece)
      messages.see(as_bytes(std::string_view(body).substr(at, piece)));
    CHECK(messages.count() == 4);
  }
}

TEST_CASE("a length of 4 GiB is believed and not kept") {
  GrpcMessages messages;
  messages.see(as_bytes(std::string("\0\xff\xff\xff\xff", 5) + std::string(1'000, '\0')));
  CHECK(messages.count() == 1);
}
