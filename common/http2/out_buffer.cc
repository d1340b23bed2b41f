#include "common/http2/out_buffer.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace aquifer::http2 {

MutableBytes OutBuffer::extend(std::size_t bytes) {
  if (buffer_.tail().size() < bytes) {
    const std::size_t held = buffer_.size();
    io::Buffer larger = io::Buffer::allocate(std::max({usual_, 2 * held, held + bytes}));
    if (held > 0) std::memcpy(larger.tail().data(), buffer_.data(), held);
    larger.grow(held);
    buffer_ = std::move(larger);
  }
  const MutableBytes room = buffer_.tail().first(bytes);
  buffer_.grow(bytes);
  return room;
}

void OutBuffer::append(ByteView bytes) {
  if (!bytes.empty()) std::memcpy(extend(bytes.size()).data(), bytes.data(), bytes.size());
}

io::Buffer OutBuffer::take(std::size_t bytes_max) {
  if (buffer_.size() > bytes_max) {
    io::Buffer piece = io::Buffer::copy_of(buffer_.view().first(bytes_max));
    buffer_.consume(bytes_max);
    return piece;
  }
  // Up at once, down slowly: growing costs a copy, room to spare nothing but its pages.
  usual_ = std::max({kLeastBytes, buffer_.size(), usual_ - usual_ / 8});
  return std::exchange(buffer_, io::Buffer());
}

}  // namespace aquifer::http2
