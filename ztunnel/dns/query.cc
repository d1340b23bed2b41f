#include "ztunnel/dns/query.h"

#include "ztunnel/dns/name.h"

#include <algorithm>

namespace aquifer::ztunnel::dns {
namespace {

// DO, the first bit of the lower half of an OPT's TTL (RFC 3225 section 3).
constexpr std::uint32_t kDnssecOk = 0x8000;

Result<std::size_t> read_question(ByteView message, Query& query) {
  TRY(ReadName name, read_plain_name(message, kHeaderBytes));
  if (name.end + 4 > message.size()) return fail(Errc::protocol, "a DNS question is cut off");
  Question question;
  question.name = std::move(name.text);
  question.type = static_cast<RecordType>(word_at(message, name.end));
  question.klass = word_at(message, name.end + 2);
  query.question = std::move(question);
  return name.end + 4;
}

// Goes over one record and notes it if it is the OPT; where the next one begins.
Result<std::size_t> read_record(ByteView message, std::size_t at, Query& query) {
  TRY(const std::size_t fixed, skip_name(message, at));
  if (fixed + kRecordFixedBytes > message.size())
    return fail(Errc::protocol, "a DNS record is cut off");
  const std::size_t end = fixed + kRecordFixedBytes + word_at(message, fixed + 8);
  if (end > message.size()) return fail(Errc::protocol, "a DNS record is cut off");
  if (static_cast<RecordType>(word_at(message, fixed)) != RecordType::opt) return end;
  // RFC 6891 section 6.1.1: at most one, and its name is the root's.
  if (query.edns || fixed != at + 1) return fail(Errc::protocol, "a wrong OPT record");
  const std::uint32_t ttl = long_at(message, fixed + 4);
  query.edns = Edns{.udp_bytes = word_at(message, fixed + 2),
                    .version = static_cast<std::uint8_t>(ttl >> 16U),
                    .dnssec_ok = (ttl & kDnssecOk) != 0};
  return end;
}

}  // namespace

std::size_t Query::udp_bytes_max() const noexcept {
  return edns ? std::max<std::size_t>(edns->udp_bytes, kPlainUdpBytes) : kPlainUdpBytes;
}

std::expected<Query, QueryFault> parse_query(ByteView message) {
  if (message.size() < kHeaderBytes || message.size() > kMessageBytesMax)
    return std::unexpected(QueryFault::not_a_query);
  Query query;
  query.id = word_at(message, 0);
  query.flags = word_at(message, 2);
  if ((query.flags & kFlagResponse) != 0) return std::unexpected(QueryFault::not_a_query);
  const std::uint16_t questions = word_at(message, 4);
  // RFC 9619: more than one has never had a meaning.
  if (questions > 1) return std::unexpected(QueryFault::malformed);
  if (questions == 1) {
    const auto end = read_question(message, query);
    if (!end) return std::unexpected(QueryFault::malformed);
    query.question_end = *end;
  }
  // A record takes 11 bytes at least, so the length of the message bounds this.
  const unsigned records = word_at(message, 6) + word_at(message, 8) + word_at(message, 10);
  std::size_t at = query.question_end;
  for (unsigned i = 0; i < records; ++i) {
    const auto next = read_record(message, at, query);
    if (!next) return std::unexpected(QueryFault::malformed);
    at = *next;
  }
  return query;
}

}  // namespace aquifer::ztunnel::dns
