#include "common/tls/post_handshake.h"

#include "common/base/assert.h"

#include <algorithm>

namespace aquifer::tls {
namespace {

constexpr std::uint8_t kNewSessionTicket = 4;
constexpr std::uint8_t kKeyUpdate = 24;
constexpr std::uint32_t kKeyUpdateBytes = 1;
// A ticket is at most 65535 bytes, its nonce and extensions less: RFC 8446, 4.6.1.
constexpr std::uint32_t kTicketMessageMax = 2 * 65536;

}  // namespace

// Only the two types are known; a client's certificate is never asked for later, and only servers
// give tickets.
PostHandshake::Event PostHandshake::judge_head() noexcept {
  left_ = static_cast<std::uint32_t>(head_[1] << 16 | head_[2] << 8 | head_[3]);
  if (head_[0] == kKeyUpdate)
    return left_ == kKeyUpdateBytes ? Event::needs_more : Event::malformed;
  if (head_[0] != kNewSessionTicket || role_ != TlsRole::client) return Event::unexpected;
  return left_ > 0 && left_ <= kTicketMessageMax ? Event::needs_more : Event::malformed;
}

PostHandshake::Event PostHandshake::read(ByteView content) noexcept {
  // RFC 8446, 5.1: handshake records are never empty.
  if (content.empty()) return Event::unexpected;
  while (!content.empty()) {
    if (head_size_ < kHeadBytes) {
      head_[head_size_++] = content.front();
      content = content.subspan(1);
      if (head_size_ < kHeadBytes) continue;
      if (const Event verdict = judge_head(); verdict != Event::needs_more) return verdict;
      continue;
    }
    if (head_[0] == kKeyUpdate) {
      head_size_ = 0;
      left_ = 0;
      // RFC 8446, 5.1: a key change must be at a record's end.
      if (content.size() != kKeyUpdateBytes) return Event::unexpected;
      if (content.front() > 1) return Event::bad_value;
      return content.front() == 1 ? Event::key_update_requested : Event::key_update;
    }
    const std::size_t count = std::min<std::size_t>(left_, content.size());
    content = content.subspan(count);
    left_ -= static_cast<std::uint32_t>(count);
    if (left_ == 0) head_size_ = 0;
  }
  return Event::needs_more;
}

void PostHandshake::restore(ByteView head, std::uint32_t left) noexcept {
  AQUIFER_ASSERT(head.size() <= kHeadBytes);
  std::ranges::copy(head, head_.begin());
  head_size_ = static_cast<std::uint8_t>(head.size());
  left_ = left;
}

}  // namespace aquifer::tls
