#include "common/http1/body_writer.h"

#include "common/base/bytes.h"
#include "common/http1/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>

namespace aquifer::http1 {

void BodyWriter::begin(Framing framing, std::uint64_t length) noexcept {
  framing_ = framing;
  left_ = length;
  finished_ = framing == Framing::none;
}

coro::Task<Result<std::size_t>> BodyWriter::writable(coro::CancelSource* cancel) {
  return stream_.writable(cancel);
}

Status BodyWriter::write(io::Buffer bytes) {
  if (bytes.empty()) return {};
  switch (framing_) {
    case Framing::none: return fail(Errc::protocol, "writing a body: there is none");
    case Framing::raw: return stream_.write(std::move(bytes));
    case Framing::chunked: return write_chunk(std::move(bytes));
    case Framing::length: break;
  }
  if (bytes.size() > left_) return fail(Errc::protocol, "writing a body: longer than was said");
  left_ -= bytes.size();
  return stream_.write(std::move(bytes));
}

Status BodyWriter::write_chunk(io::Buffer bytes) {
  constexpr std::string_view kEnd = "\r\n";
  std::array<char, 20> text{};
  const auto written = fmt::format_to_n(text.data(), text.size(), "{:x}\r\n", bytes.size());
  const std::string_view size(text.data(), written.size);
  if (bytes.headroom() < size.size()) {
    TRY_VOID(stream_.write(io::Buffer::copy_of(as_bytes(size))));
  } else {
    std::memcpy(bytes.prepend(size.size()).data(), size.data(), size.size());
  }
  // The end goes out with its chunk: some clients do not hand a chunk on before they have read it.
  const bool joined = bytes.tail().size() >= kEnd.size();
  if (joined) {
    std::memcpy(bytes.tail().data(), kEnd.data(), kEnd.size());
    bytes.grow(kEnd.size());
  }
  TRY_VOID(stream_.write(std::move(bytes)));
  if (joined) return {};
  return stream_.write(io::Buffer::copy_of(as_bytes(kEnd)));
}

Status BodyWriter::finish(const HeaderFields& trailers) {
  if (finished_) return {};
  finished_ = true;
  if (framing_ == Framing::length && left_ > 0)
    return fail(Errc::protocol, "writing a body: shorter than was said");
  if (framing_ != Framing::chunked) return {};
  std::string out = "0\r\n";
  for (const HeaderField field : trailers) {
    if (!is_token(field.name) || !is_field_value(field.value)) continue;
    out.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  out.append("\r\n");
  return stream_.write(io::Buffer::copy_of(as_bytes(out)));
}

}  // namespace aquifer::http1
