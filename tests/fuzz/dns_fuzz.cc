// DNS messages of clients and of upstream servers: any bytes. What is read must be writable and be
// read again as the same; answers of ours must be well formed, within their limit, and answer what
// was asked. The first byte says what the rest is: a query, or a response to one.
#include "common/base/assert.h"
#include "ztunnel/dns/candidates.h"
#include "ztunnel/dns/name.h"
#include "ztunnel/dns/own_answer.h"
#include "ztunnel/dns/query.h"
#include "ztunnel/dns/resolv_conf.h"
#include "ztunnel/dns/upstream_answer.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <tuple>

namespace {

using namespace aquifer;
using namespace aquifer::ztunnel::dns;

void check_name(const std::string& text) {
  Message wire;
  AQUIFER_ASSERT(append_name(wire, text));
  const auto again = read_plain_name(wire, 0);
  AQUIFER_ASSERT(again.has_value());
  AQUIFER_ASSERT(again->text == text);
  AQUIFER_ASSERT(again->end == wire.size());
  AQUIFER_ASSERT(skip_name(wire, 0).value() == wire.size());
}

void check_answer(ByteView asked, const Query& query, const OwnAnswer& answer, std::size_t limit) {
  const Message out = encode_answer(asked, query, answer, limit);
  AQUIFER_ASSERT(out.size() <= limit);
  if (query.question) AQUIFER_ASSERT(answers_query(out, asked));
  const auto records = address_records(out);
  AQUIFER_ASSERT(records.size() == std::min<std::size_t>(word_at(out, 6), kAddressRecordsMax));
  const std::size_t wanted = answer.addresses.size() + (answer.alias_of.empty() ? 0 : 1);
  if (!is_truncated(out)) AQUIFER_ASSERT(word_at(out, 6) == wanted);
  // As a query it is a response and so refused; with the bit turned it must be read.
  Message turned = out;
  AQUIFER_ASSERT(!parse_query(turned).has_value());
  put_word(turned, 2, word_at(turned, 2) & 0x7fffU);
  const auto read = parse_query(turned);
  AQUIFER_ASSERT(read.has_value());
  AQUIFER_ASSERT(read->edns.has_value() == query.edns.has_value());
  AQUIFER_ASSERT(read->question_end == query.question_end);
}

void try_query(ByteView bytes) {
  const auto query = parse_query(bytes);
  if (!query) {
    if (bytes.size() >= kHeaderBytes) std::ignore = encode_failure(bytes, Rcode::form_err);
    return;
  }
  if (query->question) check_name(query->question->name);
  OwnAnswer answer;
  if (query->question) {
    for (const Candidate& candidate : candidates(query->question->name, {"ns", "cluster.local"})) {
      AQUIFER_ASSERT(!candidate.host.empty());
      // The longest expansion may be no name at all, but what was stripped always is one.
      if (!candidate.stripped.empty()) check_name(answer.alias_of = candidate.stripped);
    }
  }
  const bool four = bytes.size() % 2 == 0;
  const std::size_t count = query->question ? bytes.size() % 64 : 0;
  answer.addresses.assign(count, four ? IpAddress::loopback_v4() : IpAddress::loopback_v6());
  check_answer(bytes, *query, answer, kPlainUdpBytes);
  check_answer(bytes, *query, answer, query->udp_bytes_max());
  check_answer(bytes, *query, answer, kMessageBytesMax);
  std::ignore = encode_failure(bytes, Rcode::bad_vers);
}

void try_response(ByteView bytes) {
  for (const AddressRecord& record : address_records(bytes)) {
    check_name(record.owner);
    if (record.type == RecordType::cname) check_name(record.alias);
  }
  const ResolvedAddresses found = resolved_addresses(bytes);
  AQUIFER_ASSERT(found.addresses.size() <= kAddressRecordsMax);
  // A response answers itself turned into a query, whatever else is wrong with it.
  Message query(bytes.begin(), bytes.end());
  if (query.size() >= kHeaderBytes) put_word(query, 2, word_at(query, 2) & 0x7fffU);
  if (answers_query(bytes, query)) AQUIFER_ASSERT(bytes.size() >= kHeaderBytes);
  if (parse_query(query)) AQUIFER_ASSERT(answers_query(bytes, query) == (bytes[2] >= 0x80));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > 8192) return 0;
  const ByteView rest(data + 1, size - 1);
  switch (data[0] % 3) {
    case 0: try_query(rest); break;
    case 1: try_response(rest); break;
    default: {
      std::ignore = parse_resolv_conf(as_text(rest));
      std::ignore = parse_servers(as_text(rest));
      Message out;
      if (append_name(out, as_text(rest))) AQUIFER_ASSERT(read_plain_name(out, 0).has_value());
    }
  }
  return 0;
}
