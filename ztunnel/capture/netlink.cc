#include "ztunnel/capture/netlink.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>

namespace aquifer::ztunnel {

namespace {

// The kernel fills dump answers up to this size when the reader offers it.
constexpr std::size_t kAnswerBytesMax = 32768;
constexpr timeval kAnswerTimeout = {.tv_sec = 5, .tv_usec = 0};

constexpr std::size_t padded(std::size_t size) {
  return (size + NLMSG_ALIGNTO - 1) & ~std::size_t{NLMSG_ALIGNTO - 1};
}

}  // namespace

NetlinkRequest::NetlinkRequest(std::uint16_t type, std::uint16_t flags) {
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
  append(&header, sizeof(header));
}

NetlinkRequest& NetlinkRequest::attribute(std::uint16_t type, std::uint32_t value) {
  const rtattr header{.rta_len = static_cast<std::uint16_t>(sizeof(rtattr) + sizeof(value)),
                      .rta_type = type};
  append(&header, sizeof(header));
  append(&value, sizeof(value));
  return *this;
}

std::span<const std::byte> NetlinkRequest::finish(std::uint32_t sequence) {
  nlmsghdr header{};
  std::memcpy(&header, bytes_.data(), sizeof(header));
  header.nlmsg_len = static_cast<std::uint32_t>(bytes_.size());
  header.nlmsg_seq = sequence;
  std::memcpy(bytes_.data(), &header, sizeof(header));
  return bytes_;
}

void NetlinkRequest::append(const void* data, std::size_t size) {
  const auto* begin = static_cast<const std::byte*>(data);
  bytes_.insert(bytes_.end(), begin, begin + size);
  bytes_.resize(padded(bytes_.size()));
}

std::uint32_t NetlinkMessage::attribute(std::size_t body_bytes, std::uint16_t attribute_type,
                                        std::uint32_t otherwise) const {
  std::size_t at = padded(body_bytes);
  while (at + sizeof(rtattr) <= payload.size()) {
    rtattr header{};
    std::memcpy(&header, payload.data() + at, sizeof(header));
    if (header.rta_len < sizeof(rtattr) || at + header.rta_len > payload.size()) break;
    if (header.rta_type == attribute_type &&
        header.rta_len >= sizeof(rtattr) + sizeof(std::uint32_t)) {
      std::uint32_t value = 0;
      std::memcpy(&value, payload.data() + at + sizeof(rtattr), sizeof(value));
      return value;
    }
    at += padded(header.rta_len);
  }
  return otherwise;
}

Result<NetlinkSocket> NetlinkSocket::open(const io::NetworkNamespace& where, int protocol) {
  TRY(Fd fd, io::socket_in(where, AF_NETLINK, SOCK_RAW, protocol));
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kAnswerTimeout, sizeof(kAnswerTimeout)) !=
      0) {
    return fail(error_from_errno(errno, "limiting the wait for netlink"));
  }
  return NetlinkSocket(std::move(fd));
}

Status NetlinkSocket::ask(NetlinkRequest request,
                          const std::function<void(const NetlinkMessage&)>& on_message) {
  const std::uint32_t sequence = ++sequence_;
  const auto bytes = request.finish(sequence);
  if (::send(fd_.get(), bytes.data(), bytes.size(), 0) < 0)
    return fail(error_from_errno(errno, "asking netlink"));

  std::vector<std::byte> answer(kAnswerBytesMax);
  while (true) {
    const ssize_t count = ::recv(fd_.get(), answer.data(), answer.size(), 0);
    if (count < 0) {
      if (errno == EINTR) continue;
      return fail(error_from_errno(errno, "reading netlink's answer"));
    }
    std::size_t at = 0;
    while (at + sizeof(nlmsghdr) <= static_cast<std::size_t>(count)) {
      nlmsghdr header{};
      std::memcpy(&header, answer.data() + at, sizeof(header));
      if (header.nlmsg_len < sizeof(header) ||
          at + header.nlmsg_len > static_cast<std::size_t>(count))
        break;
      const std::span payload(answer.data() + at + sizeof(header),
                              header.nlmsg_len - sizeof(header));
      at += padded(header.nlmsg_len);
      if (header.nlmsg_seq != sequence) continue;  // the rest of an earlier answer that failed
      if (header.nlmsg_type == NLMSG_ERROR || header.nlmsg_type == NLMSG_DONE) {
        std::int32_t code = 0;
        if (payload.size() >= sizeof(code)) std::memcpy(&code, payload.data(), sizeof(code));
        if (code != 0) return fail(error_from_errno(-code, "netlink"));
        return {};
      }
      if (on_message) on_message({header.nlmsg_type, payload});
    }
  }
}

}  // namespace aquifer::ztunnel
