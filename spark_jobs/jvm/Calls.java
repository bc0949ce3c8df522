package headgate;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.spark.sql.catalyst.expressions.And;
import org.apache.spark.sql.catalyst.expressions.ArrayFilter;
import org.apache.spark.sql.catalyst.expressions.ArrayTransform;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.AttributeReference;
import org.apache.spark.sql.catalyst.expressions.CaseWhen;
import org.apache.spark.sql.catalyst.expressions.Coalesce;
import org.apache.spark.sql.catalyst.expressions.ConditionalExpression;
import org.apache.spark.sql.catalyst.expressions.EqualNullSafe;
import org.apache.spark.sql.catalyst.expressions.ExprId;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.GetArrayItem;
import org.apache.spark.sql.catalyst.expressions.HigherOrderFunction;
import org.apache.spark.sql.catalyst.expressions.If;
import org.apache.spark.sql.catalyst.expressions.IsNull;
import org.apache.spark.sql.catalyst.expressions.LambdaFunction;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.NamedExpression;
import org.apache.spark.sql.catalyst.expressions.NamedLambdaVariable;
import org.apache.spark.sql.catalyst.expressions.Not;
import org.apache.spark.sql.catalyst.expressions.Or;
import org.apache.spark.sql.catalyst.expressions.TryEval;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.Metadata;
import scala.collection.immutable.Nil$;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;

/**
 * Takes the calls out of expressions, each replaced by the column its answer will be in.
 *
 * <p>A call behind a condition is taken with that condition as its guard; one that TRANSFORM or FILTER repeats, as an
 * array of calls. One in another lambda stays where it is. A call whose request or guard holds another's answer is in a
 * later round.
 */
final class Calls {
  /**
   * One call and the column of its answer.
   *
   * @param each the arguments are arrays with one call's for each element, and so is the answer
   * @param arguments request, parameters, file
   */
  record Taken(Call call, boolean each, List<Expression> arguments, Attribute answer) {}

  /**
   * When a call is reached.
   *
   * @param guard what must be true for the call to be made; null: nothing
   * @param array what a lambda goes through, null outside of one; {@code variables} are the lambda's element and index
   */
  private record Reach(Expression guard, Expression array, List<NamedLambdaVariable> variables) {
    static final Reach ALWAYS = new Reach(null, null, null);

    Reach and(Expression more) {
      return new Reach(guard == null ? more : new And(guard, more), array, variables);
    }

    /** {@code value}, and null where the guard is not true. */
    Expression guarded(Expression value) {
      return guard == null ? value : new If(guard, value, Literal.create(null, value.dataType()));
    }

    Expression forEach(Expression value) {
      return array == null ? value : new ArrayTransform(array, lambda(value, variables));
    }
  }

  private final List<List<Taken>> rounds = new ArrayList<>();
  private final Map<ExprId, Integer> roundOf = new HashMap<>();

  static boolean in(Expression expression) {
    return expression.exists(Calls::is);
  }

  static boolean in(Iterable<? extends Expression> expressions) {
    for (Expression expression : expressions) {
      if (in(expression)) {
        return true;
      }
    }
    return false;
  }

  List<List<Taken>> rounds() {
    return rounds;
  }

  /** {@code expression} with the answers' columns in place of the calls taken. */
  Expression take(Expression expression) {
    return take(expression, Reach.ALWAYS);
  }

  private Expression take(Expression expression, Reach reach) {
    if (!in(expression) || expression instanceof TryEval || expression instanceof LambdaFunction) {
      return expression;
    }
    if (expression instanceof If || expression instanceof CaseWhen) {
      return branched(expression, reach);
    }
    if (expression instanceof And || expression instanceof Or) {
      return decided(expression, reach);
    }
    if (expression instanceof Coalesce) {
      return firstOf(expression, reach);
    }
    Expression taken = with(expression, taken(expression, reach));
    if (expression instanceof HigherOrderFunction) {
      return reach.array() == null ? repeated(taken, reach) : taken;
    }
    return is(taken) && !in(children(taken)) ? answered(taken, reach) : taken;
  }

  private List<Expression> taken(Expression expression, Reach reach) {
    List<Expression> always = always(expression);
    List<Expression> children = new ArrayList<>();
    for (Expression child : children(expression)) {
      children.add(always.stream().anyMatch(one -> one == child) ? take(child, reach) : child);
    }
    return children;
  }

  /** Children: condition, value, condition, value, ..., perhaps the value of ELSE. */
  private Expression branched(Expression expression, Reach reach) {
    List<Expression> given = children(expression);
    List<Expression> children = new ArrayList<>();
    Reach reached = reach;
    for (int i = 0; i + 1 < given.size(); i += 2) {
      Expression condition = take(given.get(i), reached);
      children.add(condition);
      if (!condition.deterministic()) { // it would be another one when looked at twice
        children.addAll(given.subList(i + 1, given.size()));
        return with(expression, children);
      }
      Expression holds = new EqualNullSafe(condition, Literal.TrueLiteral());
      children.add(take(given.get(i + 1), reached.and(holds)));
      reached = reached.and(new Not(holds));
    }
    if (given.size() % 2 == 1) {
      children.add(take(given.get(given.size() - 1), reached));
    }
    return with(expression, children);
  }

  /** AND and OR: the right side counts only when the left one leaves it open. */
  private Expression decided(Expression expression, Reach reach) {
    List<Expression> given = children(expression);
    Expression left = take(given.get(0), reach);
    if (!left.deterministic()) {
      return with(expression, List.of(left, given.get(1)));
    }
    Literal decisive = expression instanceof Or ? Literal.TrueLiteral() : Literal.FalseLiteral();
    Expression open = new Not(new EqualNullSafe(left, decisive));
    return with(expression, List.of(left, take(given.get(1), reach.and(open))));
  }

  /** COALESCE: an argument counts only when all before it are null. */
  private Expression firstOf(Expression expression, Reach reach) {
    List<Expression> given = children(expression);
    List<Expression> children = new ArrayList<>();
    Reach reached = reach;
    for (Expression child : given) {
      Expression taken = take(child, reached);
      children.add(taken);
      if (!taken.deterministic()) {
        children.addAll(given.subList(children.size(), given.size()));
        break;
      }
      reached = reached.and(new IsNull(taken));
    }
    return with(expression, children);
  }

  /** TRANSFORM and FILTER look at every element; EXISTS may stop, AGGREGATE needs one answer for the next call. */
  private Expression repeated(Expression function, Reach reach) {
    if (!(function instanceof ArrayTransform || function instanceof ArrayFilter)) {
      return function;
    }
    Expression array = children(function).get(0);
    if (!(children(function).get(1) instanceof LambdaFunction lambda) || !array.deterministic()) {
      return function;
    }
    List<NamedLambdaVariable> variables = new ArrayList<>();
    CollectionConverters.asJava(lambda.arguments()).forEach(one -> variables.add((NamedLambdaVariable) one));
    if (variables.size() == 1) {
      variables.add(
          new NamedLambdaVariable(
              "i", DataTypes.IntegerType, false, NamedExpression.newExprId(), new AtomicReference<>()));
    }
    Expression said = take(lambda.function(), new Reach(null, reach.guarded(array), variables));
    return said == lambda.function() ? function : with(function, List.of(array, lambda(said, variables)));
  }

  private Expression answered(Expression invoke, Reach reach) {
    List<Expression> given = children(invoke);
    List<Expression> arguments = new ArrayList<>(List.of(reach.forEach(reach.guarded(given.get(1)))));
    given.subList(2, given.size()).forEach(argument -> arguments.add(reach.forEach(argument)));
    int round = 0;
    for (Expression argument : arguments) {
      for (Attribute used : CollectionConverters.asJava(argument.references().toSeq())) {
        round = Math.max(round, roundOf.getOrDefault(used.exprId(), -1) + 1);
      }
    }
    boolean each = reach.array() != null;
    DataType type = each ? DataTypes.createArrayType(invoke.dataType()) : invoke.dataType();
    Attribute answer =
        new AttributeReference("answer", type, true, Metadata.empty(), NamedExpression.newExprId(), nil());
    if (round == rounds.size()) {
      rounds.add(new ArrayList<>());
    }
    Call call = (Call) ((Literal) given.get(0)).value();
    rounds.get(round).add(new Taken(call, each, arguments, answer));
    roundOf.put(answer.exprId(), round);
    return each ? new GetArrayItem((Expression) answer, reach.variables().get(1), false) : (Expression) answer;
  }

  private static LambdaFunction lambda(Expression value, List<NamedLambdaVariable> variables) {
    return new LambdaFunction(value, seq(List.<NamedExpression>copyOf(variables)), false);
  }

  private static List<Expression> children(Expression expression) {
    return CollectionConverters.asJava(expression.children());
  }

  private static Expression with(Expression expression, List<Expression> children) {
    return expression.withNewChildren(seq(children));
  }

  private static boolean is(Expression expression) {
    return expression instanceof Ask;
  }

  private static List<Expression> always(Expression expression) {
    return expression instanceof ConditionalExpression conditional
        ? CollectionConverters.asJava(conditional.alwaysEvaluatedInputs())
        : children(expression);
  }

  static <T> List<T> list(Seq<T> values) {
    return CollectionConverters.asJava(values);
  }

  static <T> Seq<T> seq(List<T> values) {
    return CollectionConverters.asScala((Iterable<T>) values).toSeq();
  }

  @SuppressWarnings("unchecked")
  static <T> Seq<T> nil() {
    return (Seq<T>) Nil$.MODULE$;
  }
}
