// Responses of upstream servers: told apart from forgeries, and read for addresses.
#include "ztunnel/dns/upstream_answer.h"

#include "tests/unit/ztunnel/dns/messages.h"

#include <doctest/doctest.h>

namespace aquifer::ztunnel::dns {
namespace {

using namespace test;

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

TEST_CASE("only a response with the query's id and question answers it") {
  const Message query = query_bytes({.name = "www.example.com"});
  const Message good = response_bytes(query, {});
  CHECK(answers_query(good, query));
  SUBCASE("another id") {
    Message forged = good;
    put_word(forged, 0, 0x1235);
    CHECK_FALSE(answers_query(forged, query));
  }
  SUBCASE("a query sent back") {
    CHECK_FALSE(answers_query(query, query));
  }
  SUBCASE("another name") {
    CHECK_FALSE(answers_query(response_bytes(query_bytes({.name = "www.example.org"}), {}), query));
  }
  SUBCASE("a longer name") {
    CHECK_FALSE(
        answers_query(response_bytes(query_bytes({.name = "www.example.com.x"}), {}), query));
  }
  SUBCASE("another type") {
    CHECK_FALSE(answers_query(
        response_bytes(query_bytes({.name = "www.example.com", .type = 28}), {}), query));
  }
  SUBCASE("another class") {
    CHECK_FALSE(answers_query(
        response_bytes(query_bytes({.name = "www.example.com", .klass = 3}), {}), query));
  }
  SUBCASE("another opcode") {
    Message forged = good;
    put_word(forged, 2, 0xa180);
    CHECK_FALSE(answers_query(forged, query));
  }
  SUBCASE("no question") {
    Message forged(good.begin(), good.begin() + 12);
    put_word(forged, 4, 0);
    CHECK_FALSE(answers_query(forged, query));
  }
  SUBCASE("every cut of it") {
    for (std::size_t size = 0; size < good.size(); ++size)
      CHECK_FALSE(answers_query(ByteView(good).first(size), query));
  }
}

TEST_CASE("a server may change the case of the question's letters, not its numbers") {
  const Message query = query_bytes({.name = "www.example.com", .type = 0x41});
  CHECK(answers_query(response_bytes(query_bytes({.name = "WWW.example.COM", .type = 0x41}), {}),
                      query));
  // 0x41 and 0x61 are 'A' and 'a'.
  CHECK_FALSE(answers_query(
      response_bytes(query_bytes({.name = "www.example.com", .type = 0x61}), {}), query));
}

TEST_CASE("a server that could not read the query may answer without its question") {
  const Message query = query_bytes({});
  Message answer(12, 0);
  put_word(answer, 0, 0x1234);
  put_word(answer, 2, 0x8181);
  CHECK(answers_query(answer, query));
  put_word(answer, 2, 0x8184);
  CHECK(answers_query(answer, query));
  put_word(answer, 2, 0x8183);  // NXDOMAIN of what?
  CHECK_FALSE(answers_query(answer, query));
}

TEST_CASE("addresses are found behind aliases, with the least TTL on the way") {
  const Message query = query_bytes({.name = "www.example.com"});
  const Message response = response_bytes(
      query,
      {{.type = 5, .ttl = 300, .data = name_data("cdn.example.net")},
       {.owner = "CDN.example.net", .type = 5, .ttl = 20, .data = name_data("e.example.net")},
       {.owner = "e.example.net", .ttl = 60, .data = {192, 0, 2, 1}},
       {.owner = "e.example.net", .ttl = 90, .data = {192, 0, 2, 2}}});
  const ResolvedAddresses found = resolved_addresses(response);
  CHECK(found.addresses == std::vector<IpAddress>{ip("192.0.2.1"), ip("192.0.2.2")});
  CHECK(found.ttl_seconds == 20);
}

TEST_CASE("an address of another name is nobody's") {
  const Message query = query_bytes({.name = "www.example.com"});
  const Message response =
      response_bytes(query, {{.owner = "bank.example", .data = {192, 0, 2, 1}}});
  CHECK(resolved_addresses(response).addresses.empty());
}

TEST_CASE("aliases in a circle end") {
  const Message query = query_bytes({.name = "a.example"});
  const Message response =
      response_bytes(query, {{.type = 5, .data = name_data("b.example")},
                             {.owner = "b.example", .type = 5, .data = name_data("a.example")}});
  CHECK(resolved_addresses(response).addresses.empty());
}

TEST_CASE("what cannot be read ends the reading, and what was read before it counts") {
  const Message query = query_bytes({.name = "a.example"});
  Message response = response_bytes(query, {{.data = {192, 0, 2, 1}}, {.data = {192, 0, 2, 2}}});
  response.resize(response.size() - 2);
  CHECK(resolved_addresses(response).addresses == std::vector<IpAddress>{ip("192.0.2.1")});
}

TEST_CASE("records of a wrong length or class, and a TTL with its top bit, do no harm") {
  const Message query = query_bytes({.name = "a.example"});
  const Message response = response_bytes(query, {{.data = {192, 0, 2}},
                                                  {.type = 28, .data = {1, 2, 3, 4}},
                                                  {.ttl = 0x80000001, .data = {192, 0, 2, 9}}});
  const ResolvedAddresses found = resolved_addresses(response);
  CHECK(found.addresses == std::vector<IpAddress>{ip("192.0.2.9")});
  CHECK(found.ttl_seconds == 0);
}

TEST_CASE("an answer with thousands of addresses is read up to a limit") {
  const Message query = query_bytes({.name = "a.example"});
  const Message response =
      response_bytes(query, std::vector<Answered>(2000, {.data = {1, 2, 3, 4}}));
  CHECK(address_records(response).size() == kAddressRecordsMax);
}

TEST_CASE("that there is nothing may be kept as long as the SOA says (RFC 2308 section 5)") {
  const Message query = query_bytes({.name = "no.example"});
  Message response = query;
  put_word(response, 2, 0x8183);
  put_word(response, 8, 1);
  Message data = name_data("ns.example");
  put_name(data, "hostmaster.example");
  for (const std::uint32_t number : {1U, 2U, 3U, 4U, 77U}) append_long(data, number);
  put_name(response, "example");
  append_word(response, 6);
  append_word(response, 1);
  append_long(response, 3600);
  append_word(response, static_cast<std::uint16_t>(data.size()));
  response.insert(response.end(), data.begin(), data.end());
  CHECK(resolved_addresses(response).ttl_seconds == 77);
  CHECK(resolved_addresses(response_bytes(query, {})).ttl_seconds == 0);
}

TEST_CASE("names of result codes and types") {
  CHECK(name_of(Rcode::nx_domain) == "NXDOMAIN");
  CHECK(name_of(static_cast<Rcode>(9)) == "RCODE9");
  CHECK(name_of(RecordType::aaaa) == "aaaa");
  CHECK(name_of(static_cast<RecordType>(65)) == "https");
  CHECK(name_of(static_cast<RecordType>(65280)) == "unknown");
}

}  // namespace
}  // namespace aquifer::ztunnel::dns
