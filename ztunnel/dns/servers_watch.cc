#include "ztunnel/dns/servers_watch.h"

#include <array>
#include <cstdio>
#include <memory>

namespace aquifer::ztunnel::dns {
namespace {

// resolv.conf is some lines; anything longer is another file.
constexpr std::size_t kFileBytesMax = 64 * 1024;

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};

// Empty when it cannot be read: no servers are known, as when it says none.
std::string read_file(const std::string& path) {
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "re"));
  if (file == nullptr) return {};
  std::string text(kFileBytesMax, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  return text;
}

}  // namespace

ServersWatch::ServersWatch(std::optional<Servers> fixed, Files files)
    : fixed_(std::move(fixed)),
      files_(std::move(files)),
      current_(std::make_shared<const Servers>(read())) {}

Servers ServersWatch::read() const {
  if (fixed_) return *fixed_;
  Servers servers = reachable_from_pods(parse_resolv_conf(read_file(files_.resolv_conf)));
  if (!servers.empty()) return servers;
  return reachable_from_pods(parse_resolv_conf(read_file(files_.behind_stub)));
}

bool ServersWatch::poll() {
  Servers now = read();
  if (now == *current_) return false;
  current_ = std::make_shared<const Servers>(std::move(now));
  return true;
}

std::string describe(const Servers& servers) {
  if (servers.empty()) return "none";
  std::string out;
  for (const SocketAddress& server : servers) {
    if (!out.empty()) out += ", ";
    out += server.to_string();
  }
  return out;
}

}  // namespace aquifer::ztunnel::dns
