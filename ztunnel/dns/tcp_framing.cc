#include "ztunnel/dns/tcp_framing.h"

#include "common/base/assert.h"

namespace aquifer::ztunnel::dns {

Message frame(ByteView message) {
  AQUIFER_ASSERT(message.size() <= kMessageBytesMax);
  Message out;
  out.reserve(message.size() + 2);
  append_word(out, static_cast<std::uint16_t>(message.size()));
  out.insert(out.end(), message.begin(), message.end());
  return out;
}

void FrameReader::append(ByteView bytes) {
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

std::optional<Message> FrameReader::next() {
  if (bytes_.size() < 2) return std::nullopt;
  const std::size_t length = word_at(bytes_, 0);
  if (bytes_.size() < 2 + length) return std::nullopt;
  const auto begin = bytes_.begin() + 2;
  const auto end = begin + static_cast<std::ptrdiff_t>(length);
  Message message(begin, end);
  bytes_.erase(bytes_.begin(), end);
  if (bytes_.empty()) bytes_ = Message();  // gives its memory back
  return message;
}

}  // namespace aquifer::ztunnel::dns
