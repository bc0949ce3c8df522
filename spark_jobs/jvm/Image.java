package headgate;

import com.fasterxml.jackson.databind.node.ArrayNode;
import java.util.Arrays;
import java.util.Base64;

/** The argument {@code files}: an image as a part of a chat message. */
final class Image {
  /** What a file of a media type begins with; {@code then} follows four bytes later (its length comes between). */
  private record Kind(String type, byte[] start, byte[] then) {
    boolean fits(byte[] file) {
      return at(file, 0, start) && at(file, start.length + 4, then);
    }

    private static boolean at(byte[] file, int from, byte[] wanted) {
      int to = from + wanted.length;
      return wanted.length == 0 || file.length >= to && Arrays.equals(file, from, to, wanted, 0, wanted.length);
    }
  }

  private static final Kind[] KINDS = {
    new Kind("image/png", new byte[] {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'}, new byte[0]),
    new Kind("image/jpeg", new byte[] {(byte) 0xff, (byte) 0xd8, (byte) 0xff}, new byte[0]),
    new Kind("image/gif", new byte[] {'G', 'I', 'F', '8'}, new byte[0]),
    new Kind("image/webp", new byte[] {'R', 'I', 'F', 'F'}, new byte[] {'W', 'E', 'B', 'P'}),
  };

  private Image() {}

  /** Add {@code file} to a message's parts; {@link Gateway.Failed} when it is none of the kinds. */
  static void into(ArrayNode parts, byte[] file) {
    String url = "data:" + type(file) + ";base64," + Base64.getEncoder().encodeToString(file);
    parts.addObject().put("type", "image_url").putObject("image_url").put("url", url);
  }

  private static String type(byte[] file) {
    for (Kind kind : KINDS) {
      if (kind.fits(file)) {
        return kind.type();
      }
    }
    throw new Gateway.Failed("files holds no PNG, JPEG, GIF or WebP image");
  }
}
