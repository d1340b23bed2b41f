// Which servers, as files say.
#include "ztunnel/dns/servers_watch.h"

#include <doctest/doctest.h>

#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace aquifer::ztunnel::dns {
namespace {

struct Folder {
  Folder() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    for (const char* name : {"/resolv.conf", "/behind"}) ::unlink((path + name).c_str());
    ::rmdir(path.c_str());
  }
  void write(const char* name, const std::string& text) const {
    std::ofstream(path + name) << text;
  }
  [[nodiscard]] ServersWatch::Files files() const {
    return {path + "/resolv.conf", path + "/behind"};
  }
  std::string path = "/tmp/aquifer-servers-XXXXXX";
};

TEST_CASE("a change of resolv.conf is seen, and only a change") {
  const Folder folder;
  folder.write("/resolv.conf", "nameserver 10.0.0.1\n");
  ServersWatch watch(std::nullopt, folder.files());
  CHECK(describe(*watch.current()) == "10.0.0.1:53");
  CHECK_FALSE(watch.poll());
  folder.write("/resolv.conf", "# another comment\nnameserver 10.0.0.1\n");
  CHECK_FALSE(watch.poll());
  folder.write("/resolv.conf", "nameserver 10.0.0.2\nnameserver fd00::2\n");
  CHECK(watch.poll());
  CHECK(describe(*watch.current()) == "10.0.0.2:53, [fd00::2]:53");
  ::unlink((folder.path + "/resolv.conf").c_str());
  CHECK(watch.poll());
  CHECK(describe(*watch.current()) == "none");
}

TEST_CASE("where resolv.conf names only a stub on loopback, the servers behind it are asked") {
  const Folder folder;
  folder.write("/resolv.conf", "nameserver 127.0.0.53\n");
  folder.write("/behind", "nameserver 10.0.0.3\n");
  const ServersWatch watch(std::nullopt, folder.files());
  CHECK(describe(*watch.current()) == "10.0.0.3:53");
}

TEST_CASE("what the operator says counts, whatever the files say") {
  const Folder folder;
  folder.write("/resolv.conf", "nameserver 10.0.0.1\n");
  ServersWatch watch(parse_servers("10.0.0.9:5353").value(), folder.files());
  CHECK(describe(*watch.current()) == "10.0.0.9:5353");
  folder.write("/resolv.conf", "nameserver 10.0.0.2\n");
  CHECK_FALSE(watch.poll());
}

}  // namespace
}  // namespace aquifer::ztunnel::dns
