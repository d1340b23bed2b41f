// Queries of clients.
#include "ztunnel/dns/query.h"

#include "tests/unit/ztunnel/dns/messages.h"

#include <doctest/doctest.h>

namespace aquifer::ztunnel::dns {
namespace {

using namespace test;

TEST_CASE("an ordinary query is understood") {
  const Message wire = query_bytes({.name = "Www.Example.com", .type = 28});
  const auto query = parse_query(wire);
  REQUIRE(query.has_value());
  CHECK(query->id == 0x1234);
  CHECK(query->flags == 0x0100);
  REQUIRE(query->question.has_value());
  CHECK(query->question->name == "www.example.com");
  CHECK(query->question->type == RecordType::aaaa);
  CHECK(query->question_end == wire.size());
  CHECK_FALSE(query->edns.has_value());
  CHECK(query->is_ordinary());
  CHECK(query->udp_bytes_max() == 512);
}

TEST_CASE(
    "EDNS says how large an answer may be, and never less than 512 (RFC 6891 section 6.2.3)") {
  const auto query =
      parse_query(query_bytes({.edns_bytes = 1232, .edns_version = 0, .edns_flags = 0x8000}));
  REQUIRE(query.has_value());
  REQUIRE(query->edns.has_value());
  CHECK(query->edns->udp_bytes == 1232);
  CHECK(query->edns->dnssec_ok);
  CHECK(query->udp_bytes_max() == 1232);
  CHECK(parse_query(query_bytes({.edns_bytes = 100}))->udp_bytes_max() == 512);
  CHECK(parse_query(query_bytes({.edns_bytes = 1232, .edns_version = 3}))->edns->version == 3);
}

TEST_CASE(
    "two OPT records, or one that is not the root's, are malformed (RFC 6891 section 6.1.1)") {
  Message twice = query_bytes({.edns_bytes = 1232});
  const Message opt(twice.end() - 11, twice.end());
  twice.insert(twice.end(), opt.begin(), opt.end());
  put_word(twice, 10, 2);
  CHECK(parse_query(twice).error() == QueryFault::malformed);
  Message named = query_bytes({});
  put_word(named, 10, 1);
  named.insert(named.end(), {1, 'a', 0, 0, 41, 4, 0, 0, 0, 0, 0, 0, 0});
  CHECK(parse_query(named).error() == QueryFault::malformed);
}

TEST_CASE("updates, notifications and chaos queries are not ordinary") {
  CHECK_FALSE(parse_query(query_bytes({.flags = 0x2800}))->is_ordinary());
  CHECK_FALSE(parse_query(query_bytes({.klass = 3}))->is_ordinary());
}

TEST_CASE("a response is never taken for a query: two proxies could answer each other for ever") {
  CHECK(parse_query(query_bytes({.flags = 0x8180})).error() == QueryFault::not_a_query);
}

TEST_CASE("less than a header is nobody's query") {
  CHECK(parse_query({}).error() == QueryFault::not_a_query);
  const Message eleven(11, 0);
  CHECK(parse_query(eleven).error() == QueryFault::not_a_query);
}

TEST_CASE("a message without a question may be forwarded (RFC 7873 section 5.4)") {
  Message wire(12, 0);
  const auto query = parse_query(wire);
  REQUIRE(query.has_value());
  CHECK_FALSE(query->question.has_value());
  CHECK_FALSE(query->is_ordinary());
}

TEST_CASE("two questions are malformed (RFC 9619)") {
  Message wire = query_bytes({});
  put_word(wire, 4, 2);
  CHECK(parse_query(wire).error() == QueryFault::malformed);
}

TEST_CASE("every cut of a query is malformed or no query, never a crash or a wrong reading") {
  const Message whole = query_bytes({.edns_bytes = 4096});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Message cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    CAPTURE(size);
    CHECK_FALSE(parse_query(cut).has_value());
  }
}

}  // namespace
}  // namespace aquifer::ztunnel::dns
