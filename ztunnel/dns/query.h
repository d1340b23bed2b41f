// Query: what a client in a pod asks, read from hostile bytes. Only what the proxy must know to
// answer or to forward; the bytes themselves stay as they came.
#pragma once

#include "ztunnel/dns/message.h"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

namespace aquifer::ztunnel::dns {

struct Question {
  std::string name;  ///< canonical, see name.h
  RecordType type = RecordType::a;
  std::uint16_t klass = kClassIn;
};

/// RFC 6891 section 6.1.3.
struct Edns {
  std::uint16_t udp_bytes = 0;
  std::uint8_t version = 0;
  bool dnssec_ok = false;
};

struct Query {
  std::uint16_t id = 0;
  std::uint16_t flags = 0;
  /// None when the message asks nothing (RFC 7873 section 5.4 allows it, to get a cookie).
  std::optional<Question> question;
  /// The question section is message[kHeaderBytes, question_end).
  std::size_t question_end = kHeaderBytes;
  std::optional<Edns> edns;

  /// True for an ordinary question of the Internet: not an update, a notification, a chaos query.
  [[nodiscard]] bool is_ordinary() const noexcept {
    return (flags & kMaskOpcode) == 0 && question.has_value() && question->klass == kClassIn;
  }
  /// What an answer by UDP may have: what the client says, never less than 512.
  [[nodiscard]] std::size_t udp_bytes_max() const noexcept;
};

enum class QueryFault : std::uint8_t {
  not_a_query,  ///< too short, or a response: nobody is answered, or two proxies could talk forever
  malformed,    ///< FORMERR
};

[[nodiscard]] std::expected<Query, QueryFault> parse_query(ByteView message);

}  // namespace aquifer::ztunnel::dns
