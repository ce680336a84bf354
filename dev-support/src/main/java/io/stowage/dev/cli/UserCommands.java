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

import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.CreateUserRequest;
import io.stowage.common.proto.DeleteUserRequest;
import io.stowage.common.proto.Identity;
import io.stowage.common.proto.ListUsersReply;
import io.stowage.common.proto.ListUsersRequest;
import io.stowage.common.proto.UpdateUserRequest;
import io.stowage.common.proto.User;
import java.io.IOException;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code stowage user …}: for administrators. */
@Command(
    name = "user",
    mixinStandardHelpOptions = true,
    description = "Create, list and remove users; exchange their S3 keys.",
    subcommands = {
      UserCommands.Create.class,
      UserCommands.Ls.class,
      UserCommands.Rm.class,
      UserCommands.Rotate.class
    })
final class UserCommands {
  /** An access key and its secret: given, or made up; shown, or written to a file. */
  static final class NewKey {
    private static final String KEY_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    private static final int KEY_LENGTH = 16;
    private static final int SECRET_BYTES = 30;

    @Option(names = "--access-key", description = "default: one is made")
    private String accessKey;

    @Option(names = "--secret-key", description = "default: one is made")
    private String secretKey;

    @Mixin private ToldSecret told;

    /** Refuses what could not be kept, before anything is created. */
    void prepare() throws StoreException {
      told.prepare();
      SecureRandom random = new SecureRandom();
      if (accessKey == null) {
        StringBuilder made = new StringBuilder("STOW");
        for (int i = 0; i < KEY_LENGTH; i++) {
          made.append(KEY_LETTERS.charAt(random.nextInt(KEY_LETTERS.length())));
        }
        accessKey = made.toString();
      }
      if (secretKey == null) {
        byte[] secret = new byte[SECRET_BYTES];
        random.nextBytes(secret);
        // 40 characters, as AWS's own; letters that need no quoting in a shell
        secretKey = Base64.getUrlEncoder().withoutPadding().encodeToString(secret);
      }
    }

    void tell(Map<String, Object> facts) throws IOException {
      told.tell(facts, accessKey, secretKey);
    }
  }

  @Command(
      name = "create",
      mixinStandardHelpOptions = true,
      description = "Create a user with a first key; its secret is shown once.")
  static final class Create extends ClusterCommand {
    @Parameters(paramLabel = "NAME")
    private String name;

    @Mixin private NewKey key;

    @Option(names = "--canonical-id", description = "owner id in S3's answers; default: random")
    private String canonicalId = "";

    @Option(names = "--email", description = "by which S3 grants may name the user")
    private String email = "";

    @Option(names = "--admin", description = "may do everything")
    private boolean admin;

    @Override
    void run(Session session, Output output) throws Exception {
      key.prepare();
      User user =
          session
              .objectManager()
              .createUser(
                  CreateUserRequest.newBuilder()
                      .setUser(
                          User.newBuilder()
                              .setName(name)
                              .setCanonicalId(canonicalId)
                              .setEmail(email)
                              .setAdmin(admin))
                      .setAccessKey(key.accessKey)
                      .setSecretKey(key.secretKey)
                      .setWriteId(WriteId.random())
                      .build())
              .getUser();
      Map<String, Object> facts = new LinkedHashMap<>();
      facts.put("user", user.getName());
      facts.put("canonical id", user.getCanonicalId());
      key.tell(facts);
      output.facts(facts);
    }
  }

  @Command(name = "ls", mixinStandardHelpOptions = true, description = "List users.")
  static final class Ls extends ClusterCommand {
    @Override
    void run(Session session, Output output) throws Exception {
      List<Map<String, Object>> rows = new ArrayList<>();
      String after = "";
      ListUsersReply page;
      do {
        page =
            session
                .objectManager()
                .listUsers(ListUsersRequest.newBuilder().setAfter(after).build());
        for (User user : page.getUsersList()) {
          Map<String, Object> row = new LinkedHashMap<>();
          row.put("created", timeOf(user.getCreatedMicros()));
          row.put("admin", user.getAdmin());
          row.put("keys", String.join(",", user.getAccessKeysList()));
          row.put("email", user.getEmail());
          row.put("canonical id", user.getCanonicalId());
          row.put("user", user.getName());
          rows.add(row);
          after = user.getName();
        }
      } while (page.getMore());
      output.rows(rows);
    }
  }

  @Command(
      name = "rm",
      mixinStandardHelpOptions = true,
      description = "Remove a user and all keys; what the user owns stays.")
  static final class Rm extends ClusterCommand {
    @Parameters(paramLabel = "NAME")
    private String name;

    @Override
    void run(Session session, Output output) throws Exception {
      session.objectManager().deleteUser(DeleteUserRequest.newBuilder().setName(name).build());
      output.done("removed user " + name);
    }
  }

  @Command(
      name = "rotate",
      mixinStandardHelpOptions = true,
      description = "Give a user a new key; the old ones stop within seconds.")
  static final class Rotate extends ClusterCommand {
    @Parameters(paramLabel = "NAME")
    private String name;

    @Mixin private NewKey key;

    @Option(names = "--keep-old", description = "until they are removed by another rotation")
    private boolean keepOld;

    @Override
    void run(Session session, Output output) throws Exception {
      key.prepare();
      UpdateUserRequest.Builder update =
          UpdateUserRequest.newBuilder()
              .setName(name)
              .addAddKeys(
                  Identity.newBuilder().setAccessKey(key.accessKey).setSecretKey(key.secretKey));
      if (!keepOld) {
        update.addAllRemoveKeys(keysOf(session));
      }
      session.objectManager().updateUser(update.build());
      Map<String, Object> facts = new LinkedHashMap<>();
      facts.put("user", name);
      key.tell(facts);
      output.facts(facts);
    }

    private List<String> keysOf(Session session) throws StoreException {
      return session
          .objectManager()
          .updateUser(UpdateUserRequest.newBuilder().setName(name).build())
          .getUser()
          .getAccessKeysList();
    }
  }
}
