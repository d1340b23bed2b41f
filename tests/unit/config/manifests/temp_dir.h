// A directory that is gone after the test.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

namespace aquifer::manifests::test {

class TempDir {
 public:
  TempDir() {
    std::string name =
        (std::filesystem::temp_directory_path() / "aquifer-manifests-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const {
    return path_ / name;
  }

  /// In place: opened, truncated, written, closed.
  void write(std::string_view name, std::string_view text) const {
    std::ofstream(path_ / name) << text;
  }
  /// Under another name, then renamed.
  void replace(std::string_view name, std::string_view text) const {
    write(".temporary", text);
    std::filesystem::rename(path_ / ".temporary", path_ / name);
  }

 private:
  std::filesystem::path path_;
};

}  // namespace aquifer::manifests::test
