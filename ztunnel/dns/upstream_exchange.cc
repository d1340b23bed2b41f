#include "ztunnel/dns/upstream_exchange.h"

#include "common/io/readiness.h"
#include "common/io/socket.h"
#include "common/io/socket_options.h"
#include "ztunnel/dns/tcp_framing.h"
#include "ztunnel/dns/udp_socket.h"
#include "ztunnel/dns/upstream_answer.h"

#include <sys/socket.h>

#include <cerrno>
#include <tuple>

namespace aquifer::ztunnel::dns {
namespace {

// Somebody who sends this many wrong answers is guessing: better to ask again from another port
// with another id than to let him go on.
constexpr int kForgeriesMax = 32;

Status connect_and_send(int fd, const SocketAddress& server, ByteView query) noexcept {
  const SockaddrStorage to(server, io::socket_family(fd));
  // Connected: the kernel drops what does not come from that address and port.
  if (::connect(fd, to.get(), to.length) != 0)
    return std::unexpected(
        error_from_errno(errno, "asking a DNS server").from(ErrorSource::upstream));
  if (::send(fd, query.data(), query.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
    return std::unexpected(
        error_from_errno(errno, "asking a DNS server").from(ErrorSource::upstream));
  return {};
}

}  // namespace

coro::Task<Result<Message>> exchange_udp(io::Loop& loop, Fd fd, SocketAddress server,
                                         ByteView query, Deadline deadline,
                                         coro::CancelSource* cancel) {
  UdpSocket socket(loop, std::move(fd));
  CO_TRY_VOID(connect_and_send(socket.fd(), server, query));
  int forgeries = 0;
  while (forgeries < kForgeriesMax) {
    io::Readable wait(loop, socket.channel(), deadline, cancel);
    const Status readable = co_await wait;
    if (!readable) co_return std::unexpected(readable.error().from(ErrorSource::upstream));
    CO_TRY(auto datagram, socket.receive());
    if (!datagram) continue;
    if (answers_query(*datagram, query)) co_return std::move(*datagram);
    ++forgeries;
  }
  // As if nobody had answered: the next try is a fresh one.
  co_return fail(Error(Errc::timed_out, ErrorSource::upstream, "only wrong DNS answers came"));
}

coro::Task<Result<Message>> exchange_tcp(io::Loop& loop, Fd fd, SocketAddress server,
                                         ByteView query, Deadline deadline,
                                         coro::CancelSource* cancel) {
  std::ignore = io::set_nodelay(fd.get());
  io::Socket socket(loop, std::move(fd));
  const Status connected = co_await socket.connect(server, deadline, cancel);
  if (!connected) co_return std::unexpected(connected.error());
  const Message framed = frame(query);
  const Status sent = co_await socket.send_all(framed, deadline, cancel);
  if (!sent) co_return std::unexpected(sent.error().from(ErrorSource::upstream));
  FrameReader reader;
  for (;;) {
    while (auto message = reader.next()) {
      if (answers_query(*message, query)) co_return std::move(*message);
      co_return fail(Error(Errc::protocol, ErrorSource::upstream, "a wrong DNS answer by TCP"));
    }
    auto received = co_await socket.recv(kReadBytes, deadline, cancel);
    if (!received) co_return std::unexpected(received.error().from(ErrorSource::upstream));
    if (received->empty())
      co_return fail(Error(Errc::end_of_stream, ErrorSource::upstream, "a DNS server hung up"));
    reader.append(received->view());
  }
}

}  // namespace aquifer::ztunnel::dns
