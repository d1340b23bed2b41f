#include "ztunnel/unread_variables.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace aquifer::ztunnel {
namespace {

struct Variable {
  std::string_view name;
  /// The value with which it asks for nothing that is not so already; empty: there is none.
  std::string_view harmless;
  std::string_view instead;
};

constexpr std::string_view kNoIstiod =
    "configuration and certificates come from --mesh and --ca-dir, never from istiod";
constexpr std::string_view kShared =
    "this program serves all pods of its node, as PROXY_MODE=shared";
constexpr std::string_view kWindows =
    "windows begin small and grow with what is read, to 4 MiB a stream and 16 MiB a tunnel";
constexpr std::string_view kWorkers = "set ZTUNNEL_WORKER_THREADS";

constexpr std::array kUnread = {
    // Security first: what is not enforced must be heard.
    Variable{"CRL_PATH", "", "certificates are NOT looked up there; revoked ones are accepted"},
    Variable{"TLS12_ENABLED", "false", "TLS 1.3 is the only version spoken"},
    Variable{"PROXY_MODE", "shared", kShared},
    Variable{"PROXY_WORKLOAD_INFO", "", kShared},
    Variable{"ENABLE_PROXY", "true", "the proxy is always on"},
    Variable{"LOCAL_XDS_PATH", "", "write Kubernetes manifests and give --mesh"},
    Variable{"LOCAL_XDS", "", "write Kubernetes manifests and give --mesh"},
    Variable{"XDS_ADDRESS", "", kNoIstiod},
    Variable{"XDS_ROOT_CA", "", kNoIstiod},
    Variable{"XDS_ON_DEMAND", "false", kNoIstiod},
    Variable{"CA_ADDRESS", "", kNoIstiod},
    Variable{"CA_ROOT_CA", "", kNoIstiod},
    Variable{"FAKE_CA", "false", "--ca-dir makes a CA where there is none"},
    Variable{"ALT_XDS_HOSTNAME", "", kNoIstiod},
    Variable{"ALT_CA_HOSTNAME", "", kNoIstiod},
    Variable{"AUTH_TOKEN", "", kNoIstiod},
    Variable{"INPOD_UDS", "", "pods are found in the mesh directory, not told by the node agent"},
    Variable{"TRUST_DOMAIN", "", "MeshConfig trustDomain holds"},
    Variable{"PROXY_CONFIG", "", "MeshConfig defaultConfig holds"},
    Variable{"HTTP2_STREAM_WINDOW_SIZE", "", kWindows},
    Variable{"HTTP2_CONNECTION_WINDOW_SIZE", "", kWindows},
    Variable{"HTTP2_FRAME_SIZE", "", "a frame is at most one TLS record"},
    Variable{"UNSTABLE_ENABLE_SOCKS5", "false", "there is no SOCKS5 listener"},
    Variable{"ZTUNNEL_CPU_LIMIT", "", kWorkers},
    Variable{"ZTUNNEL_RESOURCE_CPU_LIMIT", "", kWorkers},
    Variable{"ZTUNNEL_RESOURCE_CPU_REQUEST", "", kWorkers},
};

// Of a value as much as a line of the log can bear.
constexpr std::size_t kValueCharsMax = 80;

}  // namespace

std::vector<std::string> unread_variables(const Environment& environment) {
  std::vector<std::string> lines;
  for (const Variable& variable : kUnread) {
    const auto value = environment(variable.name);
    if (!value || value->empty() || *value == variable.harmless) continue;
    // A token may be given literally: it must not get into a log.
    const bool secret = variable.name == "AUTH_TOKEN";
    lines.push_back(fmt::format("{}={} has no effect: {}", variable.name,
                                secret ? "..." : value->substr(0, kValueCharsMax),
                                variable.instead));
  }
  return lines;
}

}  // namespace aquifer::ztunnel
