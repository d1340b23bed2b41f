#include "ztunnel/dns/name.h"

#include <algorithm>

namespace aquifer::ztunnel::dns {
namespace {

// The two top bits of a length: 00 a label, 11 a pointer, the others are no longer in use.
constexpr std::uint8_t kKindMask = 0xc0;
constexpr std::uint8_t kPointer = 0xc0;

enum class Pointers : std::uint8_t { refused, followed };

void append_escaped(std::string& text, std::uint8_t byte) {
  const char c = lower(static_cast<char>(byte));
  if (c == '.' || c == '\\') {
    text.push_back('\\');
    text.push_back(c);
  } else if (byte <= 0x20 || byte >= 0x7f) {
    text.push_back('\\');
    text.push_back(static_cast<char>('0' + byte / 100));
    text.push_back(static_cast<char>('0' + byte / 10 % 10));
    text.push_back(static_cast<char>('0' + byte % 10));
  } else {
    text.push_back(c);
  }
}

// A name has at most 127 labels, and a pointer stands for at least one of them.
constexpr int kJumpsMax = 127;

Result<ReadName> read(ByteView message, std::size_t at, Pointers pointers) {
  ReadName name;
  std::size_t bytes = 1;     // the root's zero
  std::size_t horizon = at;  // pointers must lead to before here
  bool pointed = false;
  int jumps = 0;
  for (;;) {
    if (at >= message.size()) return fail(Errc::protocol, "a DNS name runs out of the message");
    const std::uint8_t length = message[at];
    if ((length & kKindMask) == kPointer) {
      if (pointers == Pointers::refused) return fail(Errc::protocol, "a pointer in a DNS question");
      if (at + 1 >= message.size())
        return fail(Errc::protocol, "a DNS name runs out of the message");
      const std::size_t target =
          (static_cast<std::size_t>(length & ~kKindMask) << 8U) | message[at + 1];
      if (target >= horizon) return fail(Errc::protocol, "a DNS pointer that leads forward");
      if (++jumps > kJumpsMax) return fail(Errc::protocol, "a DNS name of too many pointers");
      if (!pointed) name.end = at + 2;
      pointed = true;
      horizon = target;
      at = target;
      continue;
    }
    if ((length & kKindMask) != 0) return fail(Errc::protocol, "an unknown kind of DNS label");
    ++at;
    if (length == 0) {
      if (!pointed) name.end = at;
      return name;
    }
    bytes += length + std::size_t{1};
    if (bytes > kNameBytesMax) return fail(Errc::protocol, "a DNS name longer than 255 bytes");
    if (at + length > message.size())
      return fail(Errc::protocol, "a DNS name runs out of the message");
    if (!name.text.empty()) name.text.push_back('.');
    for (const std::uint8_t byte : message.subspan(at, length)) append_escaped(name.text, byte);
    at += length;
  }
}

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

// The byte that text[at...] stands for, and how many characters it took; 0 for a broken escape.
std::size_t unescape(std::string_view text, std::size_t at, std::uint8_t& byte) {
  if (text[at] != '\\') {
    byte = static_cast<std::uint8_t>(text[at]);
    return 1;
  }
  if (at + 1 >= text.size()) return 0;
  if (!is_digit(text[at + 1])) {
    byte = static_cast<std::uint8_t>(text[at + 1]);
    return 2;
  }
  if (at + 3 >= text.size() || !is_digit(text[at + 2]) || !is_digit(text[at + 3])) return 0;
  const int value = (text[at + 1] - '0') * 100 + (text[at + 2] - '0') * 10 + (text[at + 3] - '0');
  if (value > 0xff) return 0;
  byte = static_cast<std::uint8_t>(value);
  return 4;
}

}  // namespace

Result<ReadName> read_name(ByteView message, std::size_t at) {
  return read(message, at, Pointers::followed);
}

Result<ReadName> read_plain_name(ByteView message, std::size_t at) {
  return read(message, at, Pointers::refused);
}

Result<std::size_t> skip_name(ByteView message, std::size_t at) {
  while (at < message.size()) {
    const std::uint8_t length = message[at];
    if ((length & kKindMask) == kPointer) {
      if (at + 2 > message.size()) break;
      return at + 2;
    }
    if ((length & kKindMask) != 0) return fail(Errc::protocol, "an unknown kind of DNS label");
    at += length + std::size_t{1};
    if (length == 0) return at;
  }
  return fail(Errc::protocol, "a DNS name runs out of the message");
}

bool append_name(std::vector<std::uint8_t>& out, std::string_view text) {
  const std::size_t start = out.size();
  const auto refuse = [&] {
    out.resize(start);
    return false;
  };
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length_at = out.size();
    out.push_back(0);
    while (at < text.size() && text[at] != '.') {
      std::uint8_t byte = 0;
      const std::size_t taken = unescape(text, at, byte);
      if (taken == 0) return refuse();
      out.push_back(byte);
      at += taken;
    }
    const std::size_t length = out.size() - length_at - 1;
    if (length == 0 || length > kLabelBytesMax) return refuse();
    out[length_at] = static_cast<std::uint8_t>(length);
    if (at < text.size()) {
      ++at;                                    // the dot
      if (at == text.size()) return refuse();  // text has none at its end
    }
  }
  out.push_back(0);
  return out.size() - start <= kNameBytesMax ? true : refuse();
}

std::string canonical_name(std::string_view written) {
  if (written.ends_with('.')) written.remove_suffix(1);
  std::string name(written);
  std::ranges::transform(name, name.begin(), lower);
  return name;
}

std::string_view strip_domain(std::string_view name, std::string_view domain) noexcept {
  if (domain.empty() || name.size() <= domain.size() + 1 || !name.ends_with(domain)) return {};
  const std::size_t dot = name.size() - domain.size() - 1;
  return name[dot] == '.' ? name.substr(0, dot) : std::string_view();
}

}  // namespace aquifer::ztunnel::dns
