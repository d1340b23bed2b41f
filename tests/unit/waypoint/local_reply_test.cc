#include "waypoint/local_reply.h"

#include <doctest/doctest.h>

namespace aquifer::waypoint {
namespace {

LocalReply reply(int status, std::string body) {
  LocalReply made;
  made.status = status;
  made.body = std::move(body);
  made.fields.add("x-more", "1");
  return made;
}

TEST_CASE("a client of HTTP gets the status, and the words as text") {
  const auto head = head_of(reply(503, "no"), false);
  CHECK(head.status == 503);
  CHECK(head.content_length == 2U);
  CHECK(head.fields == HeaderFields{{"x-more", "1"}, {"content-type", "text/plain"}});
  CHECK(head_of(reply(404, ""), false).content_length == 0U);
}

TEST_CASE("a client of gRPC gets 200 with a status of its own kind") {
  const auto head = head_of(reply(503, "a\nb"), true);
  CHECK(head.status == 200);
  CHECK(head.fields.find("grpc-status") == "14");
  CHECK(head.fields.find("grpc-message") == "a%0Ab");
  CHECK(head.fields.find("content-type") == "application/grpc");
  LocalReply chosen = reply(200, "");
  chosen.grpc_status = 8;
  CHECK(head_of(chosen, true).fields.find("grpc-status") == "8");
}

TEST_CASE("statuses map as gRPC's documents say") {
  CHECK(grpc_status_of(400) == 13);
  CHECK(grpc_status_of(401) == 16);
  CHECK(grpc_status_of(403) == 7);
  CHECK(grpc_status_of(404) == 12);
  for (const int status : {429, 502, 503, 504}) CHECK(grpc_status_of(status) == 14);
  CHECK(grpc_status_of(418) == 2);
  CHECK(http_status_of_grpc(0) == 200);
  CHECK(http_status_of_grpc(14) == 503);
  CHECK(http_status_of_grpc(99) == 500);
}

TEST_CASE("a message for gRPC has no byte that a field's value cannot have") {
  CHECK(encode_grpc_message("100% \xc3\xa4\r\n") == "100%25 %C3%A4%0D%0A");
}

}  // namespace
}  // namespace aquifer::waypoint
