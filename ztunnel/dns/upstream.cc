#include "ztunnel/dns/upstream.h"

#include "common/base/assert.h"
#include "common/io/socket_options.h"
#include "ztunnel/dns/upstream_answer.h"
#include "ztunnel/dns/upstream_exchange.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace aquifer::ztunnel::dns {
namespace {

// A datagram may be lost on the way there or back; a second try on another server, or on the same
// when there is one, is worth more than waiting.
constexpr auto kUdpAttemptTimeout = std::chrono::milliseconds(1500);
constexpr auto kTcpAttemptTimeout = std::chrono::seconds(2);
// Three of 1.5 s fill the time of a query.
constexpr int kAttemptsMax = 3;

// Nobody may guess it: an answer is believed by it. From the kernel, not from a generator whose
// state can be worked out from what it gave before.
std::uint16_t fresh_id() {
  std::uint16_t id = 0;
  const ssize_t got = ::getrandom(&id, sizeof id, 0);
  AQUIFER_ASSERT(got == sizeof id);  // never short below 256 bytes
  return id;
}

// Another server may know better.
bool is_refusal(Rcode rcode) noexcept {
  return rcode == Rcode::serv_fail || rcode == Rcode::refused || rcode == Rcode::not_imp;
}

struct InFlight {
  explicit InFlight(std::size_t& count) noexcept : count_(count) { ++count_; }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;
  ~InFlight() { --count_; }

 private:
  std::size_t& count_;
};

}  // namespace

std::string_view name_of(Transport transport) noexcept {
  return transport == Transport::udp ? "udp" : "tcp";
}

coro::Task<Result<Message>> Upstream::ask(Transport transport, Message query, Deadline deadline,
                                          coro::CancelSource* cancel) {
  AQUIFER_ASSERT(query.size() >= kHeaderBytes);
  if (in_flight_ >= kInFlightMax) co_return fail(Errc::limit, "too many DNS queries of one pod");
  const InFlight counted(in_flight_);
  const std::uint16_t id = word_at(query, 0);
  deadline = deadline.sooner(parts_.loop.after(kQueryTimeout));
  Servers servers = servers_in_order();
  Result<Message> outcome = fail(Errc::not_found, "no upstream DNS server is known");
  std::size_t next = 0;
  for (int attempt = 0; attempt < kAttemptsMax && !servers.empty(); ++attempt) {
    next %= servers.size();
    const SocketAddress server = servers[next];
    put_word(query, 0, fresh_id());
    Result<Message> tried = co_await exchange(transport, server, query, deadline, cancel);
    const bool answered = tried && !is_refusal(rcode_of(*tried));
    const bool silent = !tried && tried.error().code == Errc::timed_out;
    const bool cancelled = !tried && tried.error().code == Errc::cancelled;
    // A refusal is kept rather than that another server could not be asked.
    if (tried || !outcome) outcome = std::move(tried);
    if (answered) answered_last_ = server;
    if (answered || cancelled || deadline.expired(parts_.loop.now())) break;
    // A lost datagram is worth another try, also on the same server; nothing else is.
    if (silent) {
      ++next;
    } else {
      servers.erase(servers.begin() + static_cast<std::ptrdiff_t>(next));
    }
  }
  if (outcome) put_word(*outcome, 0, id);
  co_return outcome;
}

Servers Upstream::servers_in_order() const {
  Servers servers = *parts_.servers;
  if (!answered_last_) return servers;
  const auto preferred = std::ranges::find(servers, *answered_last_);
  if (preferred != servers.end()) std::rotate(servers.begin(), preferred, preferred + 1);
  return servers;
}

coro::Task<Result<Message>> Upstream::exchange(Transport transport, SocketAddress server,
                                               ByteView query, Deadline deadline,
                                               coro::CancelSource* cancel) {
  const bool udp = transport == Transport::udp;
  const Duration patience = udp ? Duration(kUdpAttemptTimeout) : Duration(kTcpAttemptTimeout);
  const Deadline until = deadline.sooner(parts_.loop.after(patience));
  CO_TRY(Fd fd, socket_to(server, transport));
  if (udp) {
    auto answer = co_await exchange_udp(parts_.loop, std::move(fd), server, query, until, cancel);
    co_return answer;
  }
  auto answer = co_await exchange_tcp(parts_.loop, std::move(fd), server, query, until, cancel);
  co_return answer;
}

Result<Fd> Upstream::socket_to(const SocketAddress& server, Transport transport) const {
  const int family = server.ip.is_v4() ? AF_INET : AF_INET6;
  const bool udp = transport == Transport::udp;
  TRY(Fd fd, io::socket_in(parts_.space, family, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK,
                           udp ? IPPROTO_UDP : IPPROTO_TCP));
  if (parts_.mark != 0) TRY_VOID(io::set_mark(fd.get(), parts_.mark));
  return fd;
}

}  // namespace aquifer::ztunnel::dns
