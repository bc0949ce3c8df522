package headgate;

import java.io.Serializable;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import org.apache.spark.TaskContext;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.expressions.JoinedRow;
import org.apache.spark.unsafe.types.UTF8String;
import scala.collection.AbstractIterator;
import scala.collection.Iterator;
import scala.runtime.AbstractFunction1;

/** A task's rows: the calls of some are open while the first of them is waited for. Rows keep their order. */
final class Window extends AbstractIterator<Object> {
  /**
   * What opens a window over a partition.
   *
   * <p>A row holds {@code passed} columns, then a request and its parameters for each of {@code calls}.
   */
  static final class Opening extends AbstractFunction1<Iterator<Object>, Iterator<Object>> implements Serializable {
    private static final long serialVersionUID = 1L;
    private final ArrayList<Call> calls;
    private final int passed;

    Opening(List<Call> calls, int passed) {
      this.calls = new ArrayList<>(calls);
      this.passed = passed;
    }

    @Override
    public Iterator<Object> apply(Iterator<Object> rows) {
      return new Window(this, rows);
    }
  }

  private record Open(InternalRow row, List<CompletableFuture<UTF8String>> answers) {}

  private final Opening opening;
  private final Iterator<Object> rows;
  private final TaskContext task = TaskContext.get();
  private final Answers answers = Answers.of(task);
  private final Queue<Open> open = new ArrayDeque<>();
  private final int most;

  private Window(Opening opening, Iterator<Object> rows) {
    this.opening = opening;
    this.rows = rows;
    int allowed = opening.calls.stream().mapToInt(Call::inFlight).min().orElse(1);
    this.most = Math.max(1, allowed / opening.calls.size());
  }

  @Override
  public boolean hasNext() {
    return !open.isEmpty() || rows.hasNext();
  }

  @Override
  public Object next() {
    while (open.size() < most && rows.hasNext()) {
      open.add(asked(((InternalRow) rows.next()).copy())); // the next row overwrites this one
    }
    Open first = open.remove();
    Object[] said = first.answers().stream().map(answer -> AiQuery.await(answer, task)).toArray();
    return new JoinedRow(first.row(), new GenericInternalRow(said));
  }

  private Open asked(InternalRow row) {
    List<CompletableFuture<UTF8String>> asked = new ArrayList<>();
    for (int i = 0; i < opening.calls.size(); i++) {
      int at = opening.passed + 2 * i;
      asked.add(AiQuery.ask(opening.calls.get(i), text(row, at), text(row, at + 1), answers));
    }
    return new Open(row, asked);
  }

  private static UTF8String text(InternalRow row, int at) {
    return row.isNullAt(at) ? null : row.getUTF8String(at);
  }
}
