// DNS messages for tests: written by hand, byte for byte, so that the codec is not tested by
// itself.
#pragma once

#include "ztunnel/dns/message.h"
#include "ztunnel/dns/query.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::ztunnel::dns::test {

/// Labels with their lengths; `dotted` without a dot at its end.
inline void put_name(Message& out, std::string_view dotted) {
  while (!dotted.empty()) {
    const std::size_t dot = std::min(dotted.find('.'), dotted.size());
    out.push_back(static_cast<std::uint8_t>(dot));
    for (const char c : dotted.substr(0, dot)) out.push_back(static_cast<std::uint8_t>(c));
    dotted.remove_prefix(std::min(dot + 1, dotted.size()));
  }
  out.push_back(0);
}

struct Asked {
  std::string name = "server.default.svc.cluster.local";
  std::uint16_t type = 1;
  std::uint16_t klass = 1;
  std::uint16_t id = 0x1234;
  std::uint16_t flags = 0x0100;
  std::uint16_t edns_bytes = 0;  ///< 0: no OPT
  std::uint8_t edns_version = 0;
  std::uint16_t edns_flags = 0;
};

inline Message query_bytes(const Asked& asked) {
  Message out;
  append_word(out, asked.id);
  append_word(out, asked.flags);
  append_word(out, 1);
  append_word(out, 0);
  append_word(out, 0);
  append_word(out, asked.edns_bytes != 0 ? 1 : 0);
  put_name(out, asked.name);
  append_word(out, asked.type);
  append_word(out, asked.klass);
  if (asked.edns_bytes != 0) {
    out.push_back(0);
    append_word(out, 41);
    append_word(out, asked.edns_bytes);
    out.push_back(0);
    out.push_back(asked.edns_version);
    append_word(out, asked.edns_flags);
    append_word(out, 0);
  }
  return out;
}

struct Answered {
  std::string owner = {};  ///< empty: a pointer to the question
  std::uint16_t type = 1;
  std::uint32_t ttl = 60;
  Message data = {};
};

/// The response to `query`, which has nothing but its question.
inline Message response_bytes(const Message& query, const std::vector<Answered>& answers,
                              std::uint16_t flags = 0x8180) {
  Message out = query;
  put_word(out, 2, flags);
  put_word(out, 6, static_cast<std::uint16_t>(answers.size()));
  for (const Answered& answer : answers) {
    if (answer.owner.empty()) {
      append_word(out, 0xc00c);
    } else {
      put_name(out, answer.owner);
    }
    append_word(out, answer.type);
    append_word(out, 1);
    append_long(out, answer.ttl);
    append_word(out, static_cast<std::uint16_t>(answer.data.size()));
    out.insert(out.end(), answer.data.begin(), answer.data.end());
  }
  return out;
}

inline Message name_data(std::string_view dotted) {
  Message out;
  put_name(out, dotted);
  return out;
}

}  // namespace aquifer::ztunnel::dns::test
