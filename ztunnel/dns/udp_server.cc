#include "ztunnel/dns/udp_server.h"

#include "common/io/readiness.h"
#include "ztunnel/dns/own_answer.h"
#include "ztunnel/dns/succession.h"

#include <sys/socket.h>

#include <array>
#include <memory>
#include <tuple>

namespace aquifer::ztunnel::dns {
namespace {

// Taken from the kernel at once: a resolver asks for A and AAAA together, a busy pod has some more.
constexpr std::size_t kBatchMax = 16;
// Queries are questions, cookies and padding (RFC 8467: 128); what is larger has to come by TCP.
constexpr std::size_t kQueryBytesMax = 4096;
// At the end, what had arrived is answered: this many batches are all that fits into the socket.
constexpr int kLastBatchesMax = 1024;

}  // namespace

// 64 KiB that exist only while the kernel's queue is being emptied.
struct UdpServer::Batch {
  std::array<std::array<std::uint8_t, kQueryBytesMax>, kBatchMax> bytes;
  std::array<SockaddrStorage, kBatchMax> clients{};
  std::array<iovec, kBatchMax> pieces{};
  std::array<mmsghdr, kBatchMax> incoming{};
  // What can be answered at once.
  std::array<Message, kBatchMax> responses{};
  std::array<iovec, kBatchMax> response_pieces{};
  std::array<mmsghdr, kBatchMax> outgoing{};
  unsigned outgoing_count = 0;
};

UdpServer::UdpServer(Answering& answering, Fd fd) noexcept
    : answering_(answering), socket_(answering.loop(), std::move(fd)) {}

coro::Task<void> UdpServer::serve() {
  for (;;) {
    io::Readable wait(answering_.loop(), socket_.channel(), Deadline::never(), &stopping_);
    const Status readable = co_await wait;
    if (!readable) break;
    if (take_batch() == Queue::maybe_more) co_await io::yield();
  }
  for (int i = 0; i < kLastBatchesMax && take_batch() == Queue::maybe_more; ++i) {
  }
  co_await forwards_.join();
  // Not with the proxy, which may live for days: among the sockets of its port the kernel would go
  // on counting one that nobody reads.
  socket_.close();
}

void UdpServer::stop() noexcept {
  turn_over_to_next(socket_.fd());
  stopping_.cancel();
}

void UdpServer::cut() noexcept {
  stop();
  forwards_.cancel();
}

UdpServer::Queue UdpServer::take_batch() {
  const auto batch = std::make_unique<Batch>();
  for (std::size_t i = 0; i < kBatchMax; ++i) {
    batch->pieces[i] = {batch->bytes[i].data(), batch->bytes[i].size()};
    msghdr& header = batch->incoming[i].msg_hdr;
    header.msg_iov = &batch->pieces[i];
    header.msg_iovlen = 1;
    header.msg_name = &batch->clients[i].storage;
    header.msg_namelen = sizeof(batch->clients[i].storage);
  }
  const int got =
      ::recvmmsg(socket_.fd(), batch->incoming.data(), kBatchMax, MSG_DONTWAIT, nullptr);
  // Errors are old news of clients that are gone: the next call tells of the queue.
  if (got <= 0) return Queue::empty;
  const MonoTime now = answering_.loop().now();
  for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i) take(*batch, i, now);
  unsigned sent = 0;
  while (sent < batch->outgoing_count) {
    const int count = ::sendmmsg(socket_.fd(), &batch->outgoing[sent], batch->outgoing_count - sent,
                                 MSG_DONTWAIT | MSG_NOSIGNAL);
    // One that cannot be sent is lost, as datagrams are; the others are not.
    sent += count > 0 ? static_cast<unsigned>(count) : 1;
  }
  return static_cast<std::size_t>(got) == kBatchMax ? Queue::maybe_more : Queue::empty;
}

void UdpServer::take(Batch& batch, std::size_t index, MonoTime now) {
  const mmsghdr& incoming = batch.incoming[index];
  SockaddrStorage& client = batch.clients[index];
  client.length = incoming.msg_hdr.msg_namelen;
  const auto address = client.to_address();
  if (!address) return;
  Arrival arrival;
  arrival.client = *address;
  arrival.at = now;
  const auto begin = batch.bytes[index].begin();
  arrival.bytes.assign(begin, begin + incoming.msg_len);
  const bool cut_off = (incoming.msg_hdr.msg_flags & MSG_TRUNC) != 0;
  std::optional<Message> response =
      cut_off ? encode_failure(arrival.bytes, Rcode::form_err) : answering_.at_once(arrival);
  if (!response) {
    forwards_.spawn(forward(std::move(arrival), client));
    return;
  }
  if (response->empty()) return;
  const unsigned place = batch.outgoing_count++;
  batch.responses[place] = std::move(*response);
  batch.response_pieces[place] = {batch.responses[place].data(), batch.responses[place].size()};
  msghdr& header = batch.outgoing[place].msg_hdr;
  header.msg_iov = &batch.response_pieces[place];
  header.msg_iovlen = 1;
  header.msg_name = &client.storage;
  header.msg_namelen = client.length;
}

coro::Task<void> UdpServer::forward(Arrival arrival, SockaddrStorage client) {
  const Message response =
      co_await answering_.by_upstream(std::move(arrival), &forwards_.cancel_source());
  if (response.empty()) co_return;
  std::ignore = ::sendto(socket_.fd(), response.data(), response.size(),
                         MSG_DONTWAIT | MSG_NOSIGNAL, client.get(), client.length);
}

}  // namespace aquifer::ztunnel::dns
