#include "common/io/netns.h"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <latch>
#include <string>
#include <thread>

using namespace aquifer;
using namespace aquifer::io;

namespace {

// A namespace that lives as long as the value. Made by a thread that ends in it.
NetworkNamespace make_namespace() {
  Result<NetworkNamespace> made = fail(Errc::internal);
  std::thread([&made] {
    if (::unshare(CLONE_NEWNET) == 0) made = NetworkNamespace::current();
  }).join();
  REQUIRE_MESSAGE(made.has_value(), "making a network namespace needs root");
  return std::move(*made);
}

NamespaceId id_of_current_thread() {
  const auto current = NetworkNamespace::current();
  REQUIRE(current.has_value());
  return current->id();
}

// Which namespace a socket lives in, as the kernel numbers them.
std::uint64_t cookie_of(int socket) {
  std::uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  REQUIRE(::getsockopt(socket, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) == 0);
  return cookie;
}

Errc refusal(const std::string& path) {
  const auto opened = NetworkNamespace::open(path);
  REQUIRE(!opened.has_value());
  return opened.error().code;
}

}  // namespace

TEST_CASE("one namespace has one id, whatever path leads to it, and two namespaces have two") {
  const auto by_process = NetworkNamespace::open("/proc/self/ns/net");
  REQUIRE(by_process.has_value());
  CHECK(by_process->id() == id_of_current_thread());
  const NetworkNamespace other = make_namespace();
  const NetworkNamespace another = make_namespace();
  CHECK(other.id() != by_process->id());
  CHECK(other.id() != another.id());
}

TEST_CASE("a path where nothing is, is not found; any file but a network namespace is invalid") {
  CHECK(refusal("/run/netns/aquifer-no-such-namespace") == Errc::not_found);
  CHECK(refusal("/etc/passwd/below-a-file") == Errc::not_found);
  CHECK(refusal("/etc/passwd") == Errc::invalid);
  CHECK(refusal("/tmp") == Errc::invalid);
  CHECK(refusal("/dev/null") == Errc::invalid);
  CHECK(refusal("/proc/self/ns/mnt") == Errc::invalid);
}

TEST_CASE("a FIFO in place of a namespace is refused at once and does not wait for a writer") {
  char folder[] = "/tmp/aquifer-netns-XXXXXX";
  REQUIRE(::mkdtemp(folder) != nullptr);
  const std::string path = std::string(folder) + "/fifo";
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  CHECK(refusal(path) == Errc::invalid);
  ::unlink(path.c_str());
  ::rmdir(folder);
}

TEST_CASE("a socket made in another namespace lives there, and the thread is back where it was") {
  const NetworkNamespace other = make_namespace();
  const NamespaceId home = id_of_current_thread();
  const auto inside = socket_in(other, AF_INET, SOCK_STREAM, 0);
  const auto outside = Fd(::socket(AF_INET, SOCK_STREAM, 0));
  REQUIRE(inside.has_value());
  CHECK(cookie_of(inside->get()) != cookie_of(outside.get()));
  CHECK(id_of_current_thread() == home);
  CHECK((::fcntl(inside->get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("a socket that cannot be made is an error, and the thread is back where it was") {
  const NetworkNamespace other = make_namespace();
  const NamespaceId home = id_of_current_thread();
  CHECK(!socket_in(other, AF_MAX + 1, SOCK_STREAM, 0).has_value());
  CHECK(id_of_current_thread() == home);
}

TEST_CASE("a guard moves its own thread only, guards nest, and each end leads one step back") {
  const NetworkNamespace outer = make_namespace();
  const NetworkNamespace inner = make_namespace();
  const NamespaceId home = id_of_current_thread();
  {
    auto first = NamespaceGuard::enter(outer);
    REQUIRE(first.has_value());
    CHECK(id_of_current_thread() == outer.id());
    {
      const auto second = NamespaceGuard::enter(inner);
      REQUIRE(second.has_value());
      CHECK(id_of_current_thread() == inner.id());
    }
    CHECK(id_of_current_thread() == outer.id());
    const NamespaceGuard moved = std::move(*first);
    CHECK(id_of_current_thread() == outer.id());
  }
  CHECK(id_of_current_thread() == home);
}

TEST_CASE("other threads stay in their namespace while one is inside a pod's") {
  const NetworkNamespace other = make_namespace();
  const NamespaceId home = id_of_current_thread();
  std::latch entered(1);
  std::latch looked(1);
  NamespaceId inside_id;
  std::thread visitor([&] {
    const auto inside = NamespaceGuard::enter(other);
    if (inside) inside_id = NetworkNamespace::current()->id();
    entered.count_down();
    looked.wait();
  });
  entered.wait();
  const NamespaceId meanwhile = id_of_current_thread();
  looked.count_down();
  visitor.join();
  CHECK(inside_id == other.id());
  CHECK(meanwhile == home);
}
