#include "common/tls/web_connection.h"

#include "common/base/address.h"
#include "common/tls/openssl.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

namespace aquifer::tls {
namespace {

// How soon whoever waits here notices that it is to stop.
constexpr std::chrono::milliseconds kPollSlice{100};
// Addresses of a host that are tried: a second one helps when the first family leads nowhere.
constexpr int kAddressesTriedMax = 4;

struct FreeAddresses {
  void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};
using AddressesPtr = std::unique_ptr<addrinfo, FreeAddresses>;

Error upstream(Errc code, const char* what) {
  return {code, ErrorSource::upstream, what};
}

Result<AddressesPtr> look_up(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list) != 0) {
    return fail(upstream(Errc::not_found, "looking up the host"));
  }
  return AddressesPtr(list);
}

}  // namespace

Result<WebConnection> WebConnection::connect(const std::string& host, std::uint16_t port,
                                             bool secure, Limits limits) {
  TRY(const AddressesPtr addresses, look_up(host, port));
  Error last = upstream(Errc::not_found, "looking up the host");
  int tried = 0;
  for (const addrinfo* one = addresses.get(); one != nullptr && tried < kAddressesTriedMax;
       one = one->ai_next, ++tried) {
    WebConnection connection(
        Fd(::socket(one->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)), limits);
    Status done = connection.dial(*one);
    if (done && secure) done = connection.secure(host);
    if (done) return connection;
    last = done.error();
    if (last.code == Errc::cancelled || last.code == Errc::timed_out) break;
  }
  return fail(last);
}

Status WebConnection::wait(short events) const {
  while (true) {
    if (limits_.stop.stop_requested()) return fail(Errc::cancelled, "fetching");
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        limits_.deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return fail(upstream(Errc::timed_out, "fetching"));
    pollfd entry{.fd = socket_.get(), .events = events, .revents = 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(std::min(left, kPollSlice).count()));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return fail(error_from_errno(errno, "waiting"));
  }
}

Status WebConnection::dial(const addrinfo& address) {
  if (!socket_.valid()) return fail(error_from_errno(errno, "making a socket"));
  if (::connect(socket_.get(), address.ai_addr, address.ai_addrlen) == 0) return {};
  if (errno != EINPROGRESS) {
    return fail(error_from_errno(errno, "connecting").from(ErrorSource::upstream));
  }
  TRY_VOID(wait(POLLOUT));
  int error = 0;
  socklen_t size = sizeof(error);
  ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error == 0) return {};
  return fail(error_from_errno(error, "connecting").from(ErrorSource::upstream));
}

Status WebConnection::secure(const std::string& host) {
  context_.reset(SSL_CTX_new(TLS_client_method()));
  if (context_ == nullptr || SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_default_verify_paths(context_.get()) != 1) {
    ERR_clear_error();
    return fail(Errc::tls, "reading the system's roots");
  }
  SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
  ssl_.reset(SSL_new(context_.get()));
  if (ssl_ == nullptr || SSL_set_fd(ssl_.get(), socket_.get()) != 1) {
    return fail(Errc::tls, "preparing TLS");
  }
  // A certificate names hosts and addresses in different places, and only hosts go into the SNI.
  const bool good =
      IpAddress::parse(host)
          ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host.c_str()) == 1
          : SSL_set1_host(ssl_.get(), host.c_str()) == 1 &&
                SSL_set_tlsext_host_name(ssl_.get(), host.c_str()) == 1;
  if (!good) return fail(Errc::tls, "preparing TLS");
  while (true) {
    const int result = SSL_connect(ssl_.get());
    if (result == 1) return {};
    TRY_VOID(settle(result));
  }
}

Status WebConnection::settle(int result) {
  const int reason = SSL_get_error(ssl_.get(), result);
  if (reason == SSL_ERROR_WANT_READ) return wait(POLLIN);
  if (reason == SSL_ERROR_WANT_WRITE) return wait(POLLOUT);
  const bool untrusted = SSL_get_verify_result(ssl_.get()) != X509_V_OK;
  ERR_clear_error();
  return fail(
      upstream(Errc::tls, untrusted ? "the server's certificate is not believed" : "speaking TLS"));
}

Status WebConnection::send(ByteView bytes) {
  while (!bytes.empty()) {
    if (ssl_ != nullptr) {
      const int sent = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
      if (sent > 0) {
        bytes = bytes.subspan(static_cast<std::size_t>(sent));
      } else {
        TRY_VOID(settle(sent));
      }
      continue;
    }
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      TRY_VOID(wait(POLLOUT));
    } else if (errno != EINTR) {
      return fail(error_from_errno(errno, "sending").from(ErrorSource::upstream));
    }
  }
  return {};
}

Result<std::size_t> WebConnection::receive(MutableBytes bytes) {
  while (true) {
    if (ssl_ != nullptr) {
      const int got = SSL_read(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
      if (got > 0) return static_cast<std::size_t>(got);
      if (SSL_get_error(ssl_.get(), got) == SSL_ERROR_ZERO_RETURN) return std::size_t{0};
      TRY_VOID(settle(got));
      continue;
    }
    const ssize_t got = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno == EAGAIN) {
      TRY_VOID(wait(POLLIN));
    } else if (errno != EINTR) {
      return fail(error_from_errno(errno, "receiving").from(ErrorSource::upstream));
    }
  }
}

}  // namespace aquifer::tls
