package headgate;

import java.util.List;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.objects.StaticInvoke;
import org.apache.spark.sql.types.AbstractDataType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.ObjectType;
import scala.Option;
import scala.collection.immutable.IndexedSeq;
import scala.collection.immutable.Seq;

/** {@link AiQuery#answer} as an expression, shown in column names, plans and errors as people wrote it. */
final class Ask extends StaticInvoke {
  private static final long serialVersionUID = 1L;
  private static final DataType STRING = DataTypes.StringType;
  private static final List<AbstractDataType> TYPES =
      List.of(new ObjectType(Call.class), STRING, STRING, DataTypes.BinaryType);

  private final String shown;

  Ask(Call call, Expression request, Expression parameters, Expression file, String shown) {
    this(Calls.seq(List.of(Literal.fromObject(call), request, parameters, file)), shown);
  }

  private Ask(Seq<Expression> arguments, String shown) {
    // Not deterministic: else the planner might call at planning time, or twice for a repeated column.
    super(AiQuery.class, STRING, "answer", arguments, Calls.seq(TYPES), false, true, false, Option.empty());
    this.shown = shown;
  }

  /** The constructor that Spark copies by: the parts of the case class, then {@link #otherCopyArgs}. */
  public Ask(
      Class<?> type,
      DataType result,
      String name,
      Seq<Expression> arguments,
      Seq<AbstractDataType> types,
      boolean nullWithNull,
      boolean nullable,
      boolean deterministic,
      Option<?> function,
      String shown) {
    this(arguments, shown);
  }

  @Override
  public Expression withNewChildrenInternal(IndexedSeq<Expression> children) {
    return new Ask(children, shown);
  }

  @Override
  public Seq<Object> otherCopyArgs() {
    return Calls.seq(List.of(shown));
  }

  @Override
  public String toString() {
    return shown;
  }
}
