/*
 * Copyright 2026 The Stowage Authors
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at
 *
 *     http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */
package io.stowage.dev.cli;

import io.stowage.common.id.WriteId;
import io.stowage.common.proto.GetSecretReply;
import io.stowage.common.proto.GetSecretRequest;
import io.stowage.common.proto.RevokeSecretRequest;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code stowage s3 …}: for users with a Kerberos ticket, of themselves. */
@Command(
    name = "s3",
    mixinStandardHelpOptions = true,
    description = "Get and revoke the S3 secret of a Kerberos user.",
    subcommands = {SecretCommands.Get.class, SecretCommands.Revoke.class})
final class SecretCommands {
  /** A command about one user's secret. */
  abstract static class OfOne extends ClusterCommand {
    @Option(
        names = {"-u", "--user"},
        paramLabel = "USER",
        description = "of whom; for administrators; default: yourself")
    String user = "";
  }

  @Command(
      name = "getsecret",
      mixinStandardHelpOptions = true,
      description = "Make an S3 access key that is named as you are; its secret is shown once.")
  static final class Get extends OfOne {
    @Mixin private ToldSecret told;

    @Override
    void run(Session session, Output output) throws Exception {
      told.prepare();
      GetSecretReply made =
          session
              .objectManager()
              .getSecret(
                  GetSecretRequest.newBuilder().setUser(user).setWriteId(WriteId.random()).build());
      Map<String, Object> facts = new LinkedHashMap<>();
      told.tell(facts, made.getAccessKey(), made.getSecretKey());
      output.facts(facts);
    }
  }

  @Command(
      name = "revokesecret",
      mixinStandardHelpOptions = true,
      description = "End it; gateways refuse it within seconds.")
  static final class Revoke extends OfOne {
    @Override
    void run(Session session, Output output) throws Exception {
      var unused =
          session
              .objectManager()
              .revokeSecret(RevokeSecretRequest.newBuilder().setUser(user).build());
      output.done("revoked the S3 secret" + (user.isEmpty() ? "" : " of " + user));
    }
  }
}
