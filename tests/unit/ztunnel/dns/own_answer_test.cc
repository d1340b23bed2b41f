// Bytes of our own answers.
#include "ztunnel/dns/own_answer.h"

#include "tests/unit/ztunnel/dns/messages.h"
#include "ztunnel/dns/upstream_answer.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace aquifer::ztunnel::dns {
namespace {

using namespace test;

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

Message answer_to(const Message& asked, const OwnAnswer& answer, std::size_t bytes_max = 512) {
  return encode_answer(asked, parse_query(asked).value(), answer, bytes_max);
}

OwnAnswer with(std::vector<IpAddress> addresses) {
  OwnAnswer answer;
  answer.addresses = std::move(addresses);
  return answer;
}

TEST_CASE("an answer is the question as it was asked, then one record per address, byte for byte") {
  const Message asked = query_bytes({.name = "SeRver.default"});
  Message expected = asked;
  put_word(expected, 2, 0x8580);  // QR AA RD RA, as the peer's
  put_word(expected, 6, 1);
  expected.insert(expected.end(), {0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 10, 96, 0, 2});
  CHECK(answer_to(asked, with({ip("10.96.0.2")})) == expected);
}

TEST_CASE("an IPv6 address is an AAAA record") {
  const Message asked = query_bytes({.type = 28});
  const Message out = answer_to(asked, with({ip("fd00:96::2")}));
  const auto records = address_records(out);
  REQUIRE(records.size() == 1);
  CHECK(records[0].type == RecordType::aaaa);
  CHECK(records[0].address == ip("fd00:96::2"));
  CHECK(records[0].ttl_seconds == 30);
  CHECK(records[0].owner == "server.default.svc.cluster.local");
}

TEST_CASE("no recursion desired, checking disabled: both bits come back as they were") {
  CHECK(word_at(answer_to(query_bytes({.flags = 0x0000}), with({})), 2) == 0x8480);
  CHECK(word_at(answer_to(query_bytes({.flags = 0x0110}), with({})), 2) == 0x8590);
}

TEST_CASE("found without an address of the family: NOERROR with an empty answer") {
  const Message out = answer_to(query_bytes({.type = 28}), with({}));
  CHECK(rcode_of(out) == Rcode::no_error);
  CHECK(word_at(out, 6) == 0);
}

TEST_CASE("an alias comes first, and the addresses are the alias's") {
  OwnAnswer answer = with({ip("10.0.0.1"), ip("10.0.0.2")});
  answer.alias_of = "www.example.com";
  const Message asked = query_bytes({.name = "www.example.com.default.svc.cluster.local"});
  const Message out = answer_to(asked, answer);
  const auto records = address_records(out);
  REQUIRE(records.size() == 3);
  CHECK(records[0].type == RecordType::cname);
  CHECK(records[0].owner == "www.example.com.default.svc.cluster.local");
  CHECK(records[0].alias == "www.example.com");
  CHECK(records[1].owner == "www.example.com");
  CHECK(records[2].address == ip("10.0.0.2"));
  CHECK(resolved_addresses(out).addresses == answer.addresses);
}

TEST_CASE("EDNS is answered with EDNS, the DO bit kept, and only then (RFC 6891 section 6.1.1)") {
  const Message plain = answer_to(query_bytes({}), with({ip("10.0.0.1")}));
  CHECK(word_at(plain, 10) == 0);
  const Message asked = query_bytes({.edns_bytes = 1400, .edns_flags = 0x8000});
  const Message out = answer_to(asked, with({ip("10.0.0.1")}), 1400);
  CHECK(word_at(out, 10) == 1);
  const Message opt(out.end() - 11, out.end());
  CHECK(opt == Message{0, 0, 41, 0x05, 0x78, 0, 0, 0x80, 0, 0, 0});
}

TEST_CASE("an EDNS version that does not exist is refused with BADVERS (RFC 6891 section 6.1.3)") {
  const Message asked = query_bytes({.edns_bytes = 1232, .edns_version = 1});
  const Message out = encode_failure(asked, Rcode::bad_vers);
  CHECK(rcode_of(out) == Rcode::no_error);  // the lower four bits of 16
  CHECK(out[out.size() - 6] == 1);          // the upper eight, in the OPT
  CHECK(out[out.size() - 5] == 0);          // the version that we speak
}

TEST_CASE("what does not fit is left out and TC is set: the client asks by TCP") {
  std::vector<IpAddress> many;
  for (int i = 1; i <= 200; ++i) many.push_back(ip("10.0.0." + std::to_string(i)));
  const Message asked = query_bytes({});
  const Message small = answer_to(asked, with(many), 512);
  CHECK(small.size() <= 512);
  CHECK(is_truncated(small));
  CHECK(address_records(small).size() == word_at(small, 6));
  CHECK(word_at(small, 6) == (512 - asked.size()) / 16);
  const Message whole = answer_to(asked, with(many), kMessageBytesMax);
  CHECK_FALSE(is_truncated(whole));
  CHECK(word_at(whole, 6) == 200);
  const Message asked_edns = query_bytes({.edns_bytes = 600});
  const Message edns = answer_to(asked_edns, with(many), 600);
  CHECK(edns.size() <= 600);
  CHECK(word_at(edns, 10) == 1);
}

TEST_CASE("more addresses than TCP can carry are cut there too") {
  const std::vector<IpAddress> many(3000, ip("fd00::1"));
  const Message out = answer_to(query_bytes({.type = 28}), with(many), kMessageBytesMax);
  CHECK(out.size() <= kMessageBytesMax);
  CHECK(is_truncated(out));
  CHECK(word_at(out, 6) == (kMessageBytesMax - query_bytes({}).size()) / 28);
}

TEST_CASE("an alias that leaves no room is left out whole") {
  std::string name;
  for (int i = 0; i < 3; ++i) name += std::string(63, 'a') + ".";
  name += std::string(61, 'a');  // 255 bytes on the wire
  OwnAnswer answer = with({ip("10.0.0.1")});
  answer.alias_of = name;
  const Message asked = query_bytes({.name = name, .edns_bytes = 512});
  const Message out = answer_to(asked, answer, 512);
  CHECK(out.size() <= 512);
  CHECK(is_truncated(out));
  CHECK(word_at(out, 6) == 0);
  CHECK(word_at(out, 10) == 1);
}

TEST_CASE("a failure repeats the question, or nothing where that cannot be read") {
  const Message asked = query_bytes({});
  const Message out = encode_failure(asked, Rcode::serv_fail);
  CHECK(answers_query(out, asked));
  CHECK(rcode_of(out) == Rcode::serv_fail);
  CHECK(word_at(out, 2) == 0x8182);
  Message broken = asked;
  broken.resize(20);
  const Message refused = encode_failure(broken, Rcode::form_err);
  CHECK(refused.size() == kHeaderBytes);
  CHECK(word_at(refused, 0) == 0x1234);
  CHECK(rcode_of(refused) == Rcode::form_err);
  CHECK(word_at(refused, 4) == 0);
}

}  // namespace
}  // namespace aquifer::ztunnel::dns
