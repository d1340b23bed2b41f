#include "ztunnel/dns/own_answer.h"

#include "common/base/assert.h"
#include "ztunnel/dns/name.h"

#include <algorithm>

namespace aquifer::ztunnel::dns {
namespace {

// A pointer to the asked name, which always stands behind the header.
constexpr std::uint16_t kPointerToQuestion = 0xc000 | kHeaderBytes;
// A pointer has 14 bits.
constexpr std::size_t kPointerMax = 0x3fff;
// An OPT without options.
constexpr std::size_t kOptBytes = 1 + kRecordFixedBytes;
constexpr std::uint16_t kDnssecOk = 0x8000;

Message begin(ByteView asked, const Query& query, std::uint16_t flags, Rcode rcode) {
  Message out;
  append_word(out, query.id);
  // What the client may expect to find again (RFC 1035 section 4.1.1, RFC 4035 section 3.1.6).
  const std::uint16_t kept =
      query.flags & (kMaskOpcode | kFlagRecursionDesired | kFlagCheckingDisabled);
  append_word(out, static_cast<std::uint16_t>(kFlagResponse | kFlagRecursionAvailable | kept |
                                              flags | (static_cast<unsigned>(rcode) & kMaskRcode)));
  append_word(out, query.question ? 1 : 0);
  append_long(out, 0);  // answers, authorities
  append_word(out, 0);  // additionals
  // As it was asked, with the case of its letters: clients check that (draft-vixie-dnsext-dns0x20).
  const ByteView question = asked.subspan(kHeaderBytes, query.question_end - kHeaderBytes);
  out.insert(out.end(), question.begin(), question.end());
  return out;
}

void append_fixed(Message& out, RecordType type, std::size_t data_bytes) {
  append_word(out, static_cast<std::uint16_t>(type));
  append_word(out, kClassIn);
  append_long(out, kOwnTtlSeconds);
  append_word(out, static_cast<std::uint16_t>(data_bytes));
}

void append_opt(Message& out, const Query& query, Rcode rcode) {
  const unsigned extended = static_cast<unsigned>(rcode) >> 4U;
  out.push_back(0);
  append_word(out, static_cast<std::uint16_t>(RecordType::opt));
  append_word(out, static_cast<std::uint16_t>(query.udp_bytes_max()));
  append_word(out, static_cast<std::uint16_t>(extended << 8U));  // and version 0
  append_word(out, query.edns->dnssec_ok ? kDnssecOk : std::uint16_t{0});
  append_word(out, 0);
  put_word(out, 10, 1);
}

}  // namespace

Message encode_answer(ByteView asked, const Query& query, const OwnAnswer& answer,
                      std::size_t bytes_max) {
  AQUIFER_ASSERT(bytes_max >= kPlainUdpBytes);
  bytes_max = std::min(bytes_max, kMessageBytesMax);
  const bool good = answer.rcode == Rcode::no_error;
  Message out = begin(asked, query, good ? kFlagAuthoritative : std::uint16_t{0}, answer.rcode);
  if (query.edns) bytes_max -= kOptBytes;
  std::uint16_t answers = 0;
  std::uint16_t owner = kPointerToQuestion;
  if (good && !answer.alias_of.empty()) {
    Message target;
    if (append_name(target, answer.alias_of)) {
      // Two names of 255 bytes do not fit into 512 together with an OPT: the end of this function
      // looks.
      append_word(out, kPointerToQuestion);
      append_fixed(out, RecordType::cname, target.size());
      static_assert(kHeaderBytes + kNameBytesMax + 4 + 2 + kRecordFixedBytes <= kPointerMax);
      owner = static_cast<std::uint16_t>(0xc000U | out.size());
      out.insert(out.end(), target.begin(), target.end());
      ++answers;
    }
  }
  bool truncated = out.size() > bytes_max;
  for (const IpAddress& address : answer.addresses) {
    const ByteView bytes = address.bytes();
    if (out.size() + 2 + kRecordFixedBytes + bytes.size() > bytes_max) {
      truncated = true;
      break;
    }
    append_word(out, owner);
    append_fixed(out, address.is_v4() ? RecordType::a : RecordType::aaaa, bytes.size());
    out.insert(out.end(), bytes.begin(), bytes.end());
    ++answers;
  }
  put_word(out, 6, answers);
  if (out.size() > bytes_max) {  // an alias longer than what is left: everything by TCP
    out.resize(query.question_end);
    put_word(out, 6, 0);
  }
  if (truncated) put_word(out, 2, word_at(out, 2) | kFlagTruncated);
  if (query.edns) append_opt(out, query, answer.rcode);
  return out;
}

Message encode_failure(ByteView asked, Rcode rcode) {
  AQUIFER_ASSERT(asked.size() >= kHeaderBytes);
  auto query = parse_query(asked);
  if (!query) {
    Query header;
    header.id = word_at(asked, 0);
    header.flags = word_at(asked, 2);
    return begin(asked, header, 0, rcode);
  }
  OwnAnswer answer;
  answer.rcode = rcode;
  return encode_answer(asked, *query, answer, kMessageBytesMax);
}

}  // namespace aquifer::ztunnel::dns
