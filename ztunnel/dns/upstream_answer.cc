#include "ztunnel/dns/upstream_answer.h"

#include "ztunnel/dns/name.h"

#include <algorithm>
#include <array>
#include <optional>

namespace aquifer::ztunnel::dns {
namespace {

// Longer chains of aliases exist by mistake only; resolvers give up at about as many.
constexpr int kAliasesMax = 16;

std::optional<std::size_t> question_end(ByteView message) noexcept {
  if (message.size() < kHeaderBytes) return std::nullopt;
  std::size_t at = kHeaderBytes;
  for (unsigned i = 0; i < word_at(message, 4); ++i) {
    const auto end = skip_name(message, at);
    if (!end || *end + 4 > message.size()) return std::nullopt;
    at = *end + 4;
  }
  return at;
}

// A record as it lies in the message.
struct RawRecord {
  std::size_t owner = 0;
  RecordType type = RecordType::a;
  std::uint16_t klass = 0;
  std::uint32_t ttl_seconds = 0;
  std::size_t data = 0;
  std::size_t end = 0;
};

std::optional<RawRecord> raw_record(ByteView message, std::size_t at) noexcept {
  const auto fixed = skip_name(message, at);
  if (!fixed || *fixed + kRecordFixedBytes > message.size()) return std::nullopt;
  RawRecord record;
  record.owner = at;
  record.type = static_cast<RecordType>(word_at(message, *fixed));
  record.klass = word_at(message, *fixed + 2);
  record.ttl_seconds = long_at(message, *fixed + 4);
  // RFC 2181 section 8: with the top bit set it means 0.
  if ((record.ttl_seconds & 0x80000000U) != 0) record.ttl_seconds = 0;
  record.data = *fixed + kRecordFixedBytes;
  record.end = record.data + word_at(message, *fixed + 8);
  if (record.end > message.size()) return std::nullopt;
  return record;
}

std::optional<AddressRecord> address_record(ByteView message, const RawRecord& raw) {
  AddressRecord record;
  record.type = raw.type;
  record.ttl_seconds = raw.ttl_seconds;
  const ByteView data = message.subspan(raw.data, raw.end - raw.data);
  if (raw.type == RecordType::a && data.size() == 4) {
    record.address = IpAddress::v4({data[0], data[1], data[2], data[3]});
  } else if (raw.type == RecordType::aaaa && data.size() == 16) {
    std::array<std::uint8_t, 16> bytes{};
    std::ranges::copy(data, bytes.begin());
    record.address = IpAddress::v6(bytes);
  } else if (raw.type == RecordType::cname) {
    auto target = read_name(message, raw.data);
    if (!target || target->end != raw.end) return std::nullopt;
    record.alias = std::move(target->text);
  } else {
    return std::nullopt;
  }
  auto owner = read_name(message, raw.owner);
  if (!owner) return std::nullopt;
  record.owner = std::move(owner->text);
  return record;
}

// The TTL of "there is none": the lesser of the SOA's own and of its last field.
std::uint32_t negative_ttl(ByteView message, std::size_t at) noexcept {
  for (unsigned i = 0; i < word_at(message, 8); ++i) {
    const auto raw = raw_record(message, at);
    if (!raw) return 0;
    if (raw->type == RecordType::soa && raw->end - raw->data >= 4)
      return std::min(raw->ttl_seconds, long_at(message, raw->end - 4));
    at = raw->end;
  }
  return 0;
}

}  // namespace

bool answers_query(ByteView response, ByteView query) noexcept {
  if (response.size() < kHeaderBytes || query.size() < kHeaderBytes) return false;
  if (word_at(response, 0) != word_at(query, 0)) return false;
  if ((word_at(response, 2) & kFlagResponse) == 0) return false;
  if (((word_at(response, 2) ^ word_at(query, 2)) & kMaskOpcode) != 0) return false;
  // A server that could not read the query may leave its question out.
  const Rcode rcode = rcode_of(response);
  if (word_at(response, 4) == 0 && (rcode == Rcode::form_err || rcode == Rcode::not_imp))
    return true;
  if (word_at(response, 4) != word_at(query, 4)) return false;
  const auto end = question_end(query);
  if (!end || response.size() < *end) return false;
  // Letters of the name may change case (its lengths are below 'A'); type and class are numbers.
  const ByteView ours = query.subspan(kHeaderBytes, *end - kHeaderBytes);
  const ByteView theirs = response.subspan(kHeaderBytes, ours.size());
  if (ours.empty()) return true;
  const std::size_t name_bytes = ours.size() - 4;
  const auto same_letter = [](std::uint8_t a, std::uint8_t b) {
    return lower(static_cast<char>(a)) == lower(static_cast<char>(b));
  };
  return std::ranges::equal(ours.first(name_bytes), theirs.first(name_bytes), same_letter) &&
         std::ranges::equal(ours.subspan(name_bytes), theirs.subspan(name_bytes));
}

Rcode rcode_of(ByteView response) noexcept {
  return static_cast<Rcode>(word_at(response, 2) & kMaskRcode);
}

bool is_truncated(ByteView response) noexcept {
  return (word_at(response, 2) & kFlagTruncated) != 0;
}

namespace {

// Reads the answer section; `at` is where it begins, and then where it ends.
std::vector<AddressRecord> read_answers(ByteView response, std::size_t& at) {
  std::vector<AddressRecord> records;
  std::size_t looked_at = 0;
  for (unsigned i = 0; i < word_at(response, 6); ++i) {
    const auto raw = raw_record(response, at);
    if (!raw) break;
    at = raw->end;
    if (raw->klass != kClassIn || ++looked_at > kAddressRecordsMax) continue;
    if (auto record = address_record(response, *raw)) records.push_back(std::move(*record));
  }
  return records;
}

}  // namespace

std::vector<AddressRecord> address_records(ByteView response) {
  const auto begin = question_end(response);
  if (!begin) return {};
  std::size_t at = *begin;
  return read_answers(response, at);
}

ResolvedAddresses resolved_addresses(ByteView response) {
  ResolvedAddresses result;
  const auto begin = question_end(response);
  if (!begin || word_at(response, 4) != 1) return result;
  const auto asked = read_name(response, kHeaderBytes);
  if (!asked) return result;
  std::size_t at = *begin;
  const std::vector<AddressRecord> records = read_answers(response, at);
  std::string_view name = asked->text;
  std::uint32_t ttl = UINT32_MAX;
  for (int hop = 0; hop <= kAliasesMax; ++hop) {
    const AddressRecord* alias = nullptr;
    for (const AddressRecord& record : records) {
      if (record.owner != name) continue;
      ttl = std::min(ttl, record.ttl_seconds);
      if (record.type == RecordType::cname) {
        alias = &record;
      } else {
        result.addresses.push_back(record.address);
      }
    }
    if (!result.addresses.empty() || alias == nullptr) break;
    name = alias->alias;
  }
  result.ttl_seconds = result.addresses.empty() ? negative_ttl(response, at) : ttl;
  return result;
}

}  // namespace aquifer::ztunnel::dns
