#include "common/io/chunk_queue.h"

#include <algorithm>
#include <cstring>

namespace aquifer::io {

MutableBytes ChunkQueue::reserve(std::size_t bytes) {
  if (!blocks_.empty() && blocks_.back().tail().size() >= bytes) return blocks_.back().tail();
  // An empty block that is too small would break "front is empty only if the queue is".
  if (!blocks_.empty() && blocks_.back().empty()) blocks_.pop_back();
  const std::size_t usual = empty() && bytes <= kFirstBlockBytes ? kFirstBlockBytes : kBlockBytes;
  blocks_.push_back(Buffer::allocate(std::max(bytes, usual)));
  return blocks_.back().tail();
}

void ChunkQueue::commit(std::size_t bytes) noexcept {
  AQUIFER_DEBUG_ASSERT(!blocks_.empty());
  blocks_.back().grow(bytes);
  size_ += bytes;
  if (blocks_.back().empty()) blocks_.pop_back();
}

void ChunkQueue::append(ByteView bytes) {
  if (bytes.empty()) return;
  std::memcpy(reserve(bytes.size()).data(), bytes.data(), bytes.size());
  commit(bytes.size());
}

void ChunkQueue::append(Buffer buffer) {
  if (buffer.empty()) return;
  // What was reserved and not committed would stand in the middle as an empty piece.
  if (!blocks_.empty() && blocks_.back().empty()) blocks_.pop_back();
  size_ += buffer.size();
  blocks_.push_back(std::move(buffer));
}

ByteView ChunkQueue::front() const noexcept {
  return blocks_.empty() ? ByteView{} : blocks_.front().view();
}

std::size_t ChunkQueue::gather(std::span<iovec> out) const noexcept {
  // A block that was only reserved has nothing to give yet; it can only be the last.
  const bool only_reserved = !blocks_.empty() && blocks_.back().empty();
  const std::size_t count = std::min(out.size(), blocks_.size() - (only_reserved ? 1 : 0));
  for (std::size_t i = 0; i < count; ++i) {
    out[i].iov_base = const_cast<std::uint8_t*>(blocks_[i].data());
    out[i].iov_len = blocks_[i].size();
  }
  return count;
}

Buffer ChunkQueue::take(std::size_t bytes_max) {
  if (empty() || bytes_max == 0) return {};
  if (blocks_.front().size() <= bytes_max) {
    Buffer whole = std::move(blocks_.front());
    size_ -= whole.size();
    if (blocks_.size() == 1) {
      blocks_ = std::vector<Buffer>();  // holds no memory while it is empty
    } else {
      blocks_.erase(blocks_.begin());
    }
    return whole;
  }
  Buffer piece = Buffer::copy_of(blocks_.front().view().first(bytes_max));
  consume(bytes_max);
  return piece;
}

void ChunkQueue::consume(std::size_t bytes) noexcept {
  AQUIFER_DEBUG_ASSERT(bytes <= size_);
  size_ -= bytes;
  std::size_t done = 0;
  while (bytes > 0) {
    Buffer& first = blocks_[done];
    if (bytes < first.size()) {
      first.consume(bytes);
      break;
    }
    bytes -= first.size();
    ++done;
  }
  if (done == blocks_.size()) {
    blocks_ = std::vector<Buffer>();
  } else {
    blocks_.erase(blocks_.begin(), blocks_.begin() + static_cast<std::ptrdiff_t>(done));
  }
}

void ChunkQueue::clear() noexcept {
  blocks_ = std::vector<Buffer>();
  size_ = 0;
}

}  // namespace aquifer::io
