// Reading and writing the files of a CA directory: whole, durable, and one writer at a time.
// Control thread, at start.
#pragma once

#include "common/base/fd.h"
#include "config/ca/cert_source.h"

#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace aquifer::ca {

/// A failure of configuration with its sentence.
[[nodiscard]] std::unexpected<CertFailure> ca_failure(Errc code, const char* context,
                                                      std::string text);

/// The directory, made (0700, with parents) if it is missing.
[[nodiscard]] std::expected<void, CertFailure> make_ca_directory(const std::string& path);

/// Held while a root is looked for and made; released with its descriptor, so also when a process
/// dies.
[[nodiscard]] std::expected<Fd, CertFailure> lock_ca_directory(const std::string& path);

/// The file's text; nothing if there is no such file; a failure if it cannot be read or is
/// unreasonably large.
[[nodiscard]] std::expected<std::optional<std::string>, CertFailure> read_ca_file(
    const std::string& path);

/// Writes beside, syncs, and renames into place: nobody ever reads half of it.
[[nodiscard]] std::expected<void, CertFailure> write_ca_file(const std::string& path,
                                                             const std::string& text,
                                                             unsigned mode);

/// True exactly when others than the owner may read the file.
[[nodiscard]] bool readable_by_others(const std::string& path);

}  // namespace aquifer::ca
