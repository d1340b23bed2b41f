#include "ztunnel/dns/tcp_connection.h"

#include "common/io/socket_options.h"

#include <sys/socket.h>

#include <tuple>

namespace aquifer::ztunnel::dns {
namespace {

// Queries of one connection that wait for an answer, and answers that wait for the client: past
// either the next query is not read. An answer may be 64 KiB.
constexpr std::size_t kPipelinedMax = 8;
// Questions, cookies and padding, as by UDP: only answers are long.
constexpr std::size_t kQueryBytesMax = 4096;

}  // namespace

TcpConnection::TcpConnection(Answering& answering, Fd fd, coro::CancelSource& reading,
                             coro::CancelSource& everything) noexcept
    : answering_(answering),
      socket_(answering.loop(), std::move(fd)),
      reading_(reading),
      everything_(everything) {
  std::ignore = io::set_nodelay(socket_.fd());
}

coro::Task<void> TcpConnection::run() {
  const auto peer = socket_.peer_address();
  while (peer && !broken_) {
    auto query = co_await next_query();
    if (!query || query->size() > kQueryBytesMax) break;
    Arrival arrival;
    arrival.transport = Transport::tcp;
    arrival.client = peer->addr;
    arrival.bytes = std::move(*query);
    arrival.at = answering_.loop().now();
    auto response = answering_.at_once(arrival);
    if (!response) {
      forwards_.spawn(forward(std::move(arrival)));
    } else if (response->empty()) {
      break;  // not a client of DNS
    } else {
      co_await send(std::move(*response));
    }
    while (is_full() && !broken_) {
      const Status woken = co_await room_.wait(&everything_);
      if (!woken) broken_ = true;
    }
  }
  co_await forwards_.join();
}

bool TcpConnection::is_full() const noexcept {
  return forwards_.running() >= kPipelinedMax || outgoing_.size() >= kPipelinedMax;
}

coro::Task<Result<Message>> TcpConnection::next_query() {
  // For the whole query: one byte now and then does not hold a connection open.
  const Deadline deadline = answering_.loop().after(kIdleTimeout);
  for (;;) {
    if (auto message = reader_.next()) co_return std::move(*message);
    auto received = co_await socket_.recv(kReadBytes, deadline, &reading_);
    if (!received) co_return std::unexpected(received.error());
    if (received->empty()) co_return fail(Errc::end_of_stream, "reading DNS queries");
    reader_.append(received->view());
  }
}

coro::Task<void> TcpConnection::forward(Arrival arrival) {
  Message response = co_await answering_.by_upstream(std::move(arrival), &everything_);
  if (!response.empty()) co_await send(std::move(response));
  // This one still counts as running until it has returned: is_full() is asked again after that.
  room_.notify();
}

coro::Task<void> TcpConnection::send(Message response) {
  outgoing_.push_back(std::move(response));
  if (writing_ || broken_) co_return;
  writing_ = true;
  while (!outgoing_.empty() && !broken_) {
    const Message framed = frame(outgoing_.front());
    outgoing_.pop_front();
    const Deadline deadline = answering_.loop().after(kIdleTimeout);
    const Status sent = co_await socket_.send_all(framed, deadline, &everything_);
    if (sent) continue;
    broken_ = true;
    // Wakes the reader, which ends.
    ::shutdown(socket_.fd(), SHUT_RDWR);
  }
  writing_ = false;
  room_.notify();
}

}  // namespace aquifer::ztunnel::dns
